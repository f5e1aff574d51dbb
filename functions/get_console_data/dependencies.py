"""Wiring of `get_console_data`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from functions.get_console_data.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.clients import ON_REQUEST, impatient
from personalization.adapters.cloudwatch import CloudWatchMonitor
from personalization.adapters.dynamodb import DynamoCatalog, DynamoExperimentStore, DynamoListStore
from personalization.adapters.s3 import S3Archive
from personalization.adapters.secrets import read_secret
from personalization.experiments import NO_EXPERIMENTS, Definitions
from personalization.identity import user_key
from personalization.inspection import Inspector
from personalization.names import NAMESPACE, Consent
from personalization.runtime.observability import metrics
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the sections of the console read."""

    lists: DynamoListStore
    results: DynamoExperimentStore
    models: S3Archive
    monitor: CloudWatchMonitor
    deployed: DeployedDefinitions
    user_key: Callable[[str], str]
    alarm_prefix: str
    inspector: Inspector

    def definitions(self) -> Definitions:
        """Read the experiments as they are deployed."""
        return self.deployed.read() or NO_EXPERIMENTS


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the user key."""
    settings = load_settings(Settings)
    table = impatient("dynamodb", ON_REQUEST)
    lists = DynamoListStore(table, settings.table_name)
    catalogue = DynamoCatalog(table, settings.table_name)
    address = Address.parse(settings.experiments_address)
    return Dependencies(
        lists=lists,
        results=DynamoExperimentStore(table, settings.table_name),
        models=S3Archive(impatient("s3", ON_REQUEST), settings.model_bucket),
        monitor=CloudWatchMonitor(impatient("cloudwatch", ON_REQUEST), metrics.namespace or NAMESPACE),
        deployed=DeployedDefinitions(impatient("appconfigdata", ON_REQUEST), address),
        user_key=partial(
            user_key, read_secret(impatient("secretsmanager", ON_REQUEST), settings.user_key_secret_arn)
        ),
        alarm_prefix=settings.alarm_prefix,
        inspector=Inspector(lists, catalogue.items, Consent(settings.consent_default)),
    )
