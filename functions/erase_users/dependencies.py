"""Wiring of `erase_users`, once per container."""

from dataclasses import dataclass
from functools import cache

import boto3
import msgspec
from botocore.config import Config

from functions.erase_users.gathering import Gatherer
from functions.erase_users.settings import Settings
from functions.erase_users.stores import Lines, Records, Runs, Snapshots, States, Store
from functions.erase_users.work import THREADS, Worker
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from personalization.adapters.lake import S3Lake
from personalization.keys import EVENTS, EXPERIMENT_STATES, EXPOSURES, QUARANTINE, RUNS, SNAPSHOTS
from personalization.runtime.clock import new_id, now
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    worker: Worker
    gatherer: Gatherer


@cache
def dependencies() -> Dependencies:
    """Build the clients; those of S3 may take their time, as nobody waits for an answer."""
    settings = load_settings(Settings)
    objects = boto3.client("s3", config=Config(max_pool_connections=THREADS, retries={"mode": "standard"}))
    table = boto3.client("dynamodb")
    lake, models = S3Lake(objects, settings.lake_bucket), S3Lake(objects, settings.model_bucket)
    stores: list[Store] = [
        Lines("events", EVENTS, lake),
        Lines("exposures", EXPOSURES, lake),
        Records("quarantine", QUARANTINE, lake),
        States("experiments", EXPERIMENT_STATES, lake, only_new=False),
        Snapshots("snapshots", SNAPSHOTS, models, only_new=False),
        Runs("training runs", RUNS, models, only_new=False, clock=now),
    ]
    profiles = DynamoProfileStore(table, settings.table_name)
    worker = Worker(
        profiles=profiles,
        lists=DynamoListStore(table, settings.table_name),
        log=S3Erasures(objects, settings.lake_bucket),
        lake=lake,
        stores=stores,
        retention=msgspec.json.decode(settings.retention, type=dict[str, float]),
        clock=now,
        new_id=new_id,
    )
    return Dependencies(worker, Gatherer(lake, profiles))
