"""Nothing about people is kept for ever: each place where it is kept lets go of it by itself."""

from dataclasses import replace
from typing import Any

import pytest

from infrastructure.environments import DEV
from infrastructure.errors import RetentionError
from infrastructure.fields import Retention
from personalization import keys
from synth.assembly import Assembly, Resource

FOR_GOOD = {keys.MODELS, keys.EXPERIMENTS}
"""Figures of items and of groups; `experiments/state/`, by user, has a rule of its own."""


def rules(bucket: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bucket.properties["LifecycleConfiguration"]["Rules"]
    return found


def expiries(bucket: Resource) -> dict[str, int]:
    return {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules(bucket) if "ExpirationInDays" in rule}


def test_what_the_lake_holds_about_people_expires_as_the_environment_says(assembly: Assembly) -> None:
    lake, periods = assembly.one("AWS::S3::Bucket", "Lake"), assembly.environment.retention
    assert expiries(lake).items() >= {
        (keys.EVENTS, periods.events),
        (keys.EXPOSURES, periods.exposures),
        (keys.QUARANTINE, periods.quarantine),
        ("experiments/state/", periods.experiment_states),
        ("athena/", 30),
    }


def test_what_training_leaves_about_people_expires(assembly: Assembly) -> None:
    assert expiries(assembly.one("AWS::S3::Bucket", "Models")) == {"runs/": 30, keys.SNAPSHOTS: 14}


def test_every_prefix_expires_but_those_that_hold_no_person(assembly: Assembly) -> None:
    prefixes = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and value.endswith("/")
    }
    expiring = {prefix for bucket in assembly.of_type("AWS::S3::Bucket") for prefix in expiries(bucket)}
    assert prefixes - expiring == FOR_GOOD


def test_streams_queues_and_logs_let_go(assembly: Assembly) -> None:
    assert assembly.one("AWS::Kinesis::Stream").properties["RetentionPeriodHours"] <= 168
    for queue in assembly.of_type("AWS::SQS::Queue"):
        assert queue.properties["MessageRetentionPeriod"] <= 14 * 86_400
    for group in assembly.of_type("AWS::Logs::LogGroup"):
        assert group.properties["RetentionInDays"] == assembly.environment.log_retention_days


def test_a_slip_in_the_lake_of_prod_can_be_undone_for_three_days_and_no_longer(
    prod: Assembly, dev: Assembly
) -> None:
    lake = prod.one("AWS::S3::Bucket", "Lake")
    assert lake.properties["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = [rule for rule in rules(lake) if "NoncurrentVersionExpiration" in rule]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 3}
    assert rule["ExpiredObjectDeleteMarker"] is True
    assert "Prefix" not in rule
    for bucket in (prod.one("AWS::S3::Bucket", "Models"), dev.one("AWS::S3::Bucket", "Lake")):
        assert "VersioningConfiguration" not in bucket.properties


@pytest.mark.parametrize("period", Retention.__dataclass_fields__)
def test_a_retention_of_no_days_is_refused_by_name(period: str) -> None:
    with pytest.raises(RetentionError, match=f"{period}: give whole days, from 1"):
        replace(DEV.retention, **{period: 0})
