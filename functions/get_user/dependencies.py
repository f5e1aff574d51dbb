"""Wiring of `get_user`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from functions.get_user.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoCatalog, DynamoListStore, DynamoProfileStore
from personalization.adapters.exports import S3Exports
from personalization.adapters.secrets import read_secret
from personalization.adapters.sqs import SqsErasureQueue
from personalization.experiments import NO_EXPERIMENTS, Definitions
from personalization.holdings import Discloser
from personalization.identity import user_key
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    discloser: Discloser
    user_key: Callable[[str], str]
    deployed: DeployedDefinitions

    def definitions(self) -> Definitions:
        """Read the experiments as they are deployed."""
        return self.deployed.read() or NO_EXPERIMENTS


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the user key."""
    settings = load_settings(Settings)
    table = impatient("dynamodb")
    discloser = Discloser(
        profiles=DynamoProfileStore(table, settings.table_name),
        lists=DynamoListStore(table, settings.table_name),
        catalogue=DynamoCatalog(table, settings.table_name).items,
        exports=S3Exports(impatient("s3"), settings.lake_bucket),
        queue=SqsErasureQueue(impatient("sqs"), settings.erasure_queue_url),
    )
    secret = read_secret(impatient("secretsmanager"), settings.user_key_secret_arn)
    address = Address.parse(settings.experiments_address)
    deployed = DeployedDefinitions(impatient("appconfigdata"), address)
    return Dependencies(discloser, partial(user_key, secret), deployed)
