"""Rotation of a key of signatures, in the steps of Secrets Manager.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.rotate_secret.dependencies import rotated, secrets_manager
from personalization.runtime.observability import logger, worker

_KEY_BYTES: Final = 32


@worker
def handler(event: Mapping[str, Any], context: Any) -> None:  # noqa: ARG001
    """Do one step; each may come twice. Nobody else holds the key, so nothing has to be set or tested."""
    secret, version = event["SecretId"], event["ClientRequestToken"]
    if secret not in rotated():
        raise ValueError(
            "this secret does not rotate: what it turned into something could not be turned again"
        )
    if event["Step"] == "createSecret":
        _create(secret, version)
    if event["Step"] == "finishSecret":
        _finish(secret, version)
        logger.info("a key was rotated", secret=secret, version=version)


def _create(secret: str, version: str) -> None:
    client = secrets_manager()
    try:
        client.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        client.put_secret_value(
            SecretId=secret,
            ClientRequestToken=version,
            SecretString=token_hex(_KEY_BYTES),
            VersionStages=["AWSPENDING"],
        )


def _finish(secret: str, version: str) -> None:
    client = secrets_manager()
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    (current,) = [name for name, of_version in stages.items() if "AWSCURRENT" in of_version]
    if current != version:
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=current
        )
