"""What `refresh_recommendations` tells of itself: how late lists are, and how old the model is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from contracts.conftest import TABLE
from factories import listed
from functions.refresh_recommendations.handler import handler
from infrastructure.definitions import read_definitions
from integration.conftest import CONTEXT
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore
from personalization.experiments import Visitor
from personalization.names import Metric
from personalization.ports import ActiveModel

pytestmark = pytest.mark.usefixtures("platform")
USER = "u" * 43


def store() -> DynamoListStore:
    return DynamoListStore(boto3.client("dynamodb"), TABLE)


def refresh(sent_at: datetime, user_key: str = USER) -> dict[str, Any]:
    body = json.dumps({"user_key": user_key, "surfaces": ["home"]})
    attributes = {"SentTimestamp": str(int(sent_at.timestamp() * 1000))}
    return handler({"Records": [{"messageId": "m-1", "body": body, "attributes": attributes}]}, CONTEXT)


def written(out: str) -> dict[str, Any]:
    (line,) = [json.loads(row) for row in out.splitlines() if '"_aws"' in row]
    return line


def put_in_service(hours_ago: float) -> None:
    """A model whose list of the user is as new as the profile: nothing is left to rank."""
    now = datetime.now(UTC)
    store().activate(ActiveModel("v1", None, int((now - timedelta(hours=hours_ago)).timestamp())))
    for build in read_definitions().builds(Visitor(USER), "home", now, any_session=True):
        key = keys.list_key(USER, surface="home", version="v1", build=build)
        store().write_list(key, listed("a", revision=0), expires_at=4_000_000_000)


def test_the_lag_is_counted_from_the_moment_a_refresh_was_asked_for(capsys: Any) -> None:
    put_in_service(hours_ago=30)
    assert refresh(datetime.now(UTC) - timedelta(seconds=5)) == {"batchItemFailures": []}
    line = written(capsys.readouterr().out)
    assert line[Metric.REFRESH_LAG] == [pytest.approx(5_000, abs=2_000)]
    assert line[Metric.MODEL_AGE] == [pytest.approx(30 * 3_600, abs=60)]


def test_a_clock_ahead_makes_no_negative_lag(capsys: Any) -> None:
    put_in_service(hours_ago=1)
    refresh(datetime.now(UTC) + timedelta(seconds=30))
    assert written(capsys.readouterr().out)[Metric.REFRESH_LAG] == [0.0]


def test_without_a_model_no_age_is_told(capsys: Any) -> None:
    refresh(datetime.now(UTC))
    assert Metric.MODEL_AGE not in written(capsys.readouterr().out)
