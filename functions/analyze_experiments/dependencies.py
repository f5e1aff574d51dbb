"""Wiring of `analyze_experiments`, once per container."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import boto3
from botocore.config import Config

from functions.analyze_experiments.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.adapters.lake import THREADS, S3Lake
from personalization.adapters.secrets import RotatedSecret
from personalization.experiments import NO_EXPERIMENTS, Experiment
from personalization.ports import ExperimentStore
from personalization.runtime.clock import now
from personalization.runtime.settings import load_settings
from personalization.tokens import Keys


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    objects: S3Lake
    table: ExperimentStore
    token_keys: Callable[[], Keys]
    deployed: DeployedDefinitions

    def experiments(self) -> Sequence[Experiment]:
        """Return the experiments as they are defined now."""
        return (self.deployed.read() or NO_EXPERIMENTS).experiments


@cache
def dependencies() -> Dependencies:
    """Build the clients; the keys are read with the first analysis."""
    settings = load_settings(Settings)
    address = Address.parse(settings.experiments_address)
    objects = boto3.client("s3", config=Config(max_pool_connections=THREADS))
    return Dependencies(
        objects=S3Lake(objects, settings.lake_bucket),
        table=DynamoExperimentStore(impatient("dynamodb"), settings.table_name),
        token_keys=RotatedSecret(impatient("secretsmanager"), settings.token_secret_arn, now).accepted,
        deployed=DeployedDefinitions(impatient("appconfigdata"), address),
    )
