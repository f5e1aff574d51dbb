"""Keeps the experiments with a run, before the run starts: all of its shards are ranked by the same ones.

Jobs on SageMaker have no network; there too they find the definitions, and the published model that a variant
tries, among the run's channels.
"""

from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import ClientError

from functions.run_training_step.champion import copy_model
from personalization.adapters.appconfig import DeployedDefinitions
from personalization.experiments import NO_EXPERIMENTS
from personalization.keys import run_prefix
from personalization.runtime.observability import logger
from training.experiments import EXPERIMENTS_FILE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MARKER: Final = "tried.json"
"""Tells the version that a variant tries, or that none does: an engine may refuse an empty channel."""


def keep_experiments(client: "S3Client", deployed: DeployedDefinitions, *, bucket: str, run_id: str) -> None:
    """Write channels *experiments* and *tried* of a run, once. Cost: a copy within S3 a file of the model.

    Raises
    ------
    Unavailable
        AppConfig can't be reached. A night without experiments would leave their users without lists.
    InvalidInput
        `invalid_experiments`: what is deployed there can't be read.
    """
    key = run_prefix(run_id, "experiments") + EXPERIMENTS_FILE
    if _is_there(client, bucket, key):
        return
    definitions = deployed.read()
    if definitions is None:
        logger.warning("no definitions of experiments are deployed")
        definitions = NO_EXPERIMENTS
    tried = run_prefix(run_id, "tried")
    if definitions.tried_model is not None:
        copy_model(client, bucket=bucket, version=definitions.tried_model, prefix=tried)
    marker = msgspec.json.encode({"version": definitions.tried_model})
    client.put_object(Bucket=bucket, Key=tried + _MARKER, Body=marker)
    client.put_object(Bucket=bucket, Key=key, Body=msgspec.json.encode(definitions))


def _is_there(client: "S3Client", bucket: str, key: str) -> bool:
    try:
        client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return False
        raise
    return True
