"""A night on moto, step by step as the state machine of engine `lambda` invokes them: what is done again, and
what is interrupted, ends as if it had been done once."""

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from container import END, write_shop_lake
from contracts.conftest import TABLE
from factories import lambda_of
from functions.run_training_step.handler import handler
from functions.run_training_step.preflight import DatasetTooLargeError
from personalization.adapters.dynamodb import DynamoListStore
from personalization.errors import ModelError
from personalization.keys import ACTIVE_MODEL
from personalization.ports import ActiveModel
from personalization.profiles import at_seconds
from personalization.runtime.discretion import InvocationFailedError

pytestmark = pytest.mark.xdist_group("containers")
Objects = dict[str, bytes]


def step(name: str, run_id: str, context: SimpleNamespace | None = None, **more: Any) -> Mapping[str, Any]:
    event = {"step": name, "run_id": run_id, "now": END.isoformat(), "shard_count": 2, **more}
    return handler(event, context or lambda_of())


def run_night(run_id: str) -> Mapping[str, Any]:
    step("champion", run_id)
    shards = step("prepare", run_id)["shards"]
    assert step("soundness", run_id).keys() == {"step", "train", "reasons"}
    step("train", run_id, hyperparameters={"trees": 8})
    step("evaluate", run_id)
    verdict = step("gate", run_id)
    for shard in shards:
        step("rank", run_id, shard=shard)
    step("share", run_id)
    return verdict


@pytest.fixture
def lake(platform, tmp_path) -> None:
    write_shop_lake(tmp_path / "lake", users=150, items=80)
    body = (tmp_path / "lake" / "0.jsonl.gz").read_bytes()
    boto3.client("s3").put_object(Bucket="lake", Key="events/date=2026-01-15/0.jsonl.gz", Body=body)


def objects(prefix: str) -> Objects:
    bucket = boto3.resource("s3").Bucket("models")
    return {found.key: found.get()["Body"].read() for found in bucket.objects.filter(Prefix=prefix)}


def rows() -> list[dict[str, Any]]:
    found = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    return sorted(found, key=lambda row: (row["pk"]["S"], row["sk"]["S"]))


def active() -> ActiveModel | None:
    return DynamoListStore(boto3.client("dynamodb"), TABLE).read([ACTIVE_MODEL]).active


@pytest.fixture
def fails_at_the_switch(platform) -> Iterator[list[bool]]:
    """While it holds a True, writing the model in service fails, as if the process had been killed."""
    broken: list[bool] = []

    def stumble(params: Mapping[str, Any], **_: Any) -> None:
        if broken and "MODEL" in str(params.get("body", "")) and b"ACTIVE" in bytes(params["body"]):
            raise ConnectionResetError("killed")

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-call.dynamodb.PutItem", stumble)
    yield broken
    boto3.setup_default_session()


def test_a_night_done_twice_is_a_night_done_once(lake: None) -> None:
    run_night("tonight")
    step("publish", "tonight")
    first = objects("runs/tonight/"), objects("models/"), rows(), active()
    run_night("tonight")
    step("publish", "tonight")
    assert (objects("runs/tonight/"), objects("models/"), rows(), active()) == first
    assert first[3] == ActiveModel("tonight", None, at_seconds(END))


def test_a_publish_that_is_interrupted_before_the_switch_changes_nothing_that_is_read_and_can_be_done_again(
    lake: None, fails_at_the_switch: list[bool]
) -> None:
    run_night("yesterday")
    step("publish", "yesterday")
    in_service = active()
    run_night("tonight")
    fails_at_the_switch.append(True)
    with pytest.raises(InvocationFailedError, match="ConnectionResetError"):
        step("publish", "tonight")
    assert active() == in_service
    written = [row for row in rows() if row["sk"]["S"].endswith("tonight")]
    assert len(written) > 50
    fails_at_the_switch.clear()
    step("publish", "tonight")
    assert active() == ActiveModel("tonight", "yesterday", at_seconds(END))
    assert [row for row in rows() if row["sk"]["S"].endswith("tonight")] == written


def test_a_run_is_judged_by_the_model_that_was_in_service_when_it_began(lake: None) -> None:
    run_night("first")
    step("publish", "first")
    assert step("champion", "second")["version"] == "first"
    DynamoListStore(boto3.client("dynamodb"), TABLE).activate(ActiveModel("third", "first", 0))
    assert step("champion", "second")["version"] == "first"
    kept = objects("runs/second/champion/")["runs/second/champion/ranker.txt"]
    assert kept == objects("models/first/")["models/first/ranker.txt"]
    DynamoListStore(boto3.client("dynamodb"), TABLE).activate(ActiveModel("fourth", "first", 0))
    assert step("champion", "fourth")["version"] == "first"


def test_a_run_that_comes_too_late_does_not_replace_a_later_ones_model(lake: None) -> None:
    run_night("old")
    later = ActiveModel("new", None, at_seconds(END) + 60)
    DynamoListStore(boto3.client("dynamodb"), TABLE).activate(later)
    with pytest.raises(ModelError, match="new, of a later run, is in service already"):
        step("publish", "old")
    assert active() == later
    assert not objects("models/old/")


def test_the_gate_and_the_announcement_take_up_where_another_engine_left_off(
    lake: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run_night("tonight")
    client = boto3.client("s3")
    for key, body in objects("runs/tonight/model/").items():
        moved = key.replace("/model/", "/training/job/output/model/")
        client.put_object(Bucket="models", Key=moved, Body=body)
        client.delete_object(Bucket="models", Key=key)
    elsewhere = "s3://models/runs/tonight/training/job/output/model"
    assert step("gate", "tonight", model=elsewhere)["step"] == "gate"
    step("publish", "tonight", model=elsewhere)
    capsys.readouterr()
    assert step("announce", "tonight", model=elsewhere) == {"step": "announce"}
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "ListsPublished" in line]
    assert json.loads(line)["ListsPublished"][0] > 50


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (lambda_of(minutes=0.12), "train needs about 0.2 minutes, a Lambda has 0.1"),
        (lambda_of(memory_mb=350), "evaluate needs about .* MB of memory, a Lambda has 350"),
        (lambda_of(memory_mb=90), "MB of events are too much for engine lambda: prepare needs about"),
    ],
)
def test_what_would_not_fit_into_a_lambda_is_refused_before_training_with_the_way_out(
    lake: None, context: SimpleNamespace, reason: str
) -> None:
    with pytest.raises(DatasetTooLargeError, match=reason) as refusal:
        step("prepare", "tonight", context)
    assert "engine lambda" in str(refusal.value)
    assert "Choose SageMakerEngine" in str(refusal.value)
    assert not objects("runs/tonight/")
