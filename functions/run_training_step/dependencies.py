"""Wiring of `run_training_step`, once per container."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from functions.run_training_step.channels import THREADS
from functions.run_training_step.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.dynamodb import DynamoListStore
from personalization.ports import ListStore
from personalization.runtime.settings import load_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    objects: "S3Client"
    lists: ListStore
    settings: Settings
    deployed: DeployedDefinitions


@cache
def dependencies() -> Dependencies:
    """Build the clients."""
    settings = load_settings(Settings)
    lists = DynamoListStore(boto3.client("dynamodb"), settings.table_name)
    objects = boto3.client("s3", config=Config(max_pool_connections=THREADS))
    address = Address.parse(settings.experiments_address)
    deployed = DeployedDefinitions(boto3.client("appconfigdata"), address)
    return Dependencies(objects, lists, settings, deployed)
