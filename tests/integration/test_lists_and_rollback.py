"""After a night: an act rebuilds the user's list, and an alarm puts the model before in service."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from contracts.conftest import TABLE
from factories import event, listed
from functions.get_recommendations.handler import handler as get_recommendations
from functions.refresh_recommendations.handler import handler as refresh_recommendations
from functions.roll_back_model.handler import handler as roll_back_model
from integration.conftest import CONTEXT, Platform
from integration.test_slow_loop import lake, run_night, step
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.identity import user_key
from personalization.keys import ACTIVE_MODEL, POPULAR, segment_key
from personalization.ports import ActiveModel, UserState
from personalization.profiles import Profile, apply, at_seconds
from personalization.runtime.clock import now

__all__ = ["lake"]
pytestmark = pytest.mark.xdist_group("containers")
SENT = {"SentTimestamp": "1768478400000"}
ALARM = {"detail": {"alarmName": "ClickRateAlone", "state": {"value": "ALARM"}}}


def message(user_key: str) -> Mapping[str, Any]:
    body = json.dumps({"user_key": user_key, "surfaces": ["home"]})
    return {"Records": [{"messageId": "m", "body": body, "attributes": SENT}]}


def test_an_act_rebuilds_a_list_from_the_model_that_was_published(
    lake: None, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.refresh_recommendations.models.gettempdir", lambda: str(tmp_path))
    run_night("tonight")
    step("publish", "tonight")
    assert refresh_recommendations(message("somebody"), CONTEXT) == {"batchItemFailures": []}
    found = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    lists = [row["sk"]["S"] for row in found if row["pk"]["S"] == "USER#somebody"]
    assert lists
    assert {name.rpartition("#")[2] for name in lists} == {"tonight"}


def test_a_message_that_no_queue_of_ours_sent_is_reported_and_the_rest_goes_on(platform: Platform) -> None:
    bad = {"messageId": "bad", "body": "nonsense", "attributes": SENT}
    batch = {"Records": [bad, *message("ann")["Records"]]}
    assert refresh_recommendations(batch, CONTEXT)["batchItemFailures"][0] == {"itemIdentifier": "bad"}


def test_an_alarm_puts_the_model_before_in_service_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBACK_HOURS", "24")
    store = DynamoListStore(boto3.client("dynamodb"), TABLE)
    for version in ("old", "new"):
        key = segment_key(POPULAR, version=version)
        store.write_list(key, listed("sku-1", version=version), expires_at=4_000_000_000)
    store.activate(ActiveModel("new", "old", at_seconds(now())))
    assert roll_back_model(ALARM, CONTEXT) == {"rolled_back": True, "version": "old"}
    assert roll_back_model(ALARM, CONTEXT)["rolled_back"] is False
    active = store.read([ACTIVE_MODEL]).active
    assert active is not None
    assert active.version == "old"


def test_a_visit_without_a_list_queues_a_refresh(platform: Platform) -> None:
    DynamoListStore(boto3.client("dynamodb"), TABLE).activate(ActiveModel("v1", None, at_seconds(now())))
    seen = event("click", "sku-1", event_id="e", user_key=user_key(b"user-key-secret", "ann"))
    profile = Profile()
    apply(profile, seen)
    state = UserState(profile=profile)
    profiles = DynamoProfileStore(boto3.client("dynamodb"), TABLE)
    profiles.save(seen.user_key, state, version="1", now=now())
    status, _ = platform.request(
        get_recommendations, pathParameters={"user_id": "ann"}, queryStringParameters=None
    )
    assert status == 200
    assert [row["user_key"] for row in platform.queued()] == [seen.user_key]


def test_a_night_goes_on_from_the_snapshot_of_the_night_before(lake: None) -> None:
    client = boto3.client("s3")
    key = "events/date=2026-01-15/0.jsonl.gz"
    source = {"Bucket": "lake", "Key": key}
    client.copy_object(Bucket="lake", Key=key.replace("15", "10"), CopySource=source)
    client.delete_object(**source)
    step("prepare", "first", split="time")
    assert step("prepare", "second", split="time")["fetched"]["through"] is not None
