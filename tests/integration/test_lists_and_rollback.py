"""After a night: an act rebuilds the user's list, and an alarm puts the model before in service."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from contracts.conftest import TABLE
from functions.refresh_recommendations.handler import handler as refresh_recommendations
from functions.roll_back_model.handler import handler as roll_back_model
from integration.conftest import CONTEXT, Platform
from integration.test_slow_loop import lake, run_night, step
from personalization.adapters.dynamodb import DynamoListStore
from personalization.keys import ACTIVE_MODEL
from personalization.ports import ActiveModel
from personalization.profiles import at_seconds
from personalization.runtime.clock import now

__all__ = ["lake"]
pytestmark = pytest.mark.xdist_group("containers")
ALARM = {"detail": {"alarmName": "ClickRateAlone", "state": {"value": "ALARM"}}}


def message(user_key: str) -> Mapping[str, Any]:
    body = json.dumps({"user_key": user_key, "surfaces": ["home"]})
    return {"Records": [{"messageId": "m", "body": body}]}


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
    batch = {"Records": [{"messageId": "bad", "body": "nonsense"}, *message("ann")["Records"]]}
    assert refresh_recommendations(batch, CONTEXT)["batchItemFailures"][0] == {"itemIdentifier": "bad"}


def test_an_alarm_puts_the_model_before_in_service_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBACK_HOURS", "24")
    store = DynamoListStore(boto3.client("dynamodb"), TABLE)
    store.activate(ActiveModel("new", "old", at_seconds(now())))
    assert roll_back_model(ALARM, CONTEXT) == {"rolled_back": True, "version": "old"}
    assert roll_back_model(ALARM, CONTEXT)["rolled_back"] is False
    active = store.read([ACTIVE_MODEL]).active
    assert active is not None
    assert active.version == "old"
