"""Wiring of `analyze_experiments`, once per container."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import boto3
from botocore.config import Config

from functions.analyze_experiments.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.adapters.lake import THREADS, S3Lake
from personalization.adapters.secrets import read_secret
from personalization.experiments import NO_EXPERIMENTS, Experiment
from personalization.ports import ExperimentStore
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    objects: S3Lake
    table: ExperimentStore
    token_secret: bytes
    deployed: DeployedDefinitions

    def experiments(self) -> Sequence[Experiment]:
        """Return the experiments as they are defined now."""
        return (self.deployed.read() or NO_EXPERIMENTS).experiments


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the key."""
    settings = load_settings(Settings)
    address = Address.parse(settings.experiments_address)
    objects = boto3.client("s3", config=Config(max_pool_connections=THREADS))
    return Dependencies(
        objects=S3Lake(objects, settings.lake_bucket),
        table=DynamoExperimentStore(impatient("dynamodb"), settings.table_name),
        token_secret=read_secret(impatient("secretsmanager"), settings.token_secret_arn),
        deployed=DeployedDefinitions(impatient("appconfigdata"), address),
    )
