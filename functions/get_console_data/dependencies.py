"""Wiring of `get_console_data`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from functions.get_console_data.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.cloudwatch import CloudWatchMonitor
from personalization.adapters.dynamodb import DynamoListStore, DynamoReports
from personalization.adapters.s3 import S3Archive
from personalization.adapters.secrets import read_secret
from personalization.experiments import Definitions, packaged_definitions
from personalization.identity import user_key
from personalization.inspection import Inspector
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the sections of the console read."""

    lists: DynamoListStore
    reports: DynamoReports
    models: S3Archive
    monitor: CloudWatchMonitor
    definitions: Definitions
    user_key: Callable[[str], str]
    alarm_prefix: str
    inspector: Inspector


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the user key."""
    settings = load_settings(Settings)
    table = impatient("dynamodb")
    lists, reports = DynamoListStore(table, settings.table_name), DynamoReports(table, settings.table_name)
    definitions = packaged_definitions()
    return Dependencies(
        lists=lists,
        reports=reports,
        models=S3Archive(impatient("s3"), settings.model_bucket),
        monitor=CloudWatchMonitor(impatient("cloudwatch")),
        definitions=definitions,
        user_key=partial(user_key, read_secret(impatient("secretsmanager"), settings.user_key_secret_arn)),
        alarm_prefix=settings.alarm_prefix,
        inspector=Inspector(lists, definitions, reports.items),
    )
