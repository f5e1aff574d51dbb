"""The register of published models: what each is, and which is in service."""

from datetime import timedelta
from pathlib import Path

import boto3
import msgspec
import pytest
from moto import mock_aws

from factories import NOW
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.s3 import S3Archive
from personalization.ports import ActiveModel
from personalization.registry import METADATA_FILE, Metadata
from tests.contracts.conftest import TABLE, create_table
from training import models
from training.evaluation import Evaluation, Scores
from training.publishing import Publisher
from training.registry import quality_of

SCORES = {"model": Scores(ndcg={10: 0.125}, hit_rate={10: 0.3}, mrr={})}
QUALITY = quality_of(Evaluation(users=40, methods=SCORES, differences={}, recall_by_source={}))


def publish(version: str, folder: Path, day: int, *, known: bool = True) -> None:
    metadata = Metadata(
        version=version,
        trained_at=NOW + timedelta(days=day),
        features=("a", "b"),
        events=12_345,
        users=1,
        items=1,
        data_from=None,
        data_to=NOW,
        parameters={"seed": 1},
        code_version="0.1.0+abc",
    )
    (folder / METADATA_FILE).write_bytes(msgspec.json.encode(metadata))
    lists = DynamoListStore(boto3.client("dynamodb"), TABLE)
    users = DynamoProfileStore(boto3.client("dynamodb"), TABLE)
    publisher = Publisher(S3Archive(boto3.client("s3"), "models"), lists, users, NOW)
    publisher.publish(folder, version, [], msgspec.json.encode(QUALITY) if known else None)


@pytest.fixture(autouse=True)
def aws():
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="models")
        create_table(boto3.client("dynamodb"))
        yield


ARGUMENTS = ["--bucket", "models", "--table", TABLE]


def test_models_are_listed_with_what_they_are_and_which_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    for day, version in enumerate(("v1", "v2", "v3")):
        publish(version, tmp_path, day, known=version != "v1")
    boto3.client("s3").put_object(Bucket="models", Key="models/half/metadata.json", Body=b"{}")
    assert models.main(ARGUMENTS) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "0.1.0+abc" in line]
    assert ["v3" in rows[0], "v2" in rows[1], "v1" in rows[2]] == [True] * 3
    assert "in service" in rows[0]
    assert "before" in rows[1]
    assert all(figure in rows[0] for figure in ("0.1250", "12,345", "2026-01-17"))
    assert "0.1250" not in rows[2]


def test_the_model_that_a_rollback_left_is_the_one_before(tmp_path: Path) -> None:
    for day, version in enumerate(("v1", "v2")):
        publish(version, tmp_path, day)
    lists = DynamoListStore(boto3.client("dynamodb"), TABLE)
    lists.activate(ActiveModel("v1", "v2", 9, rolled_back=True))
    archive = S3Archive(boto3.client("s3"), "models")
    active = ActiveModel("v1", "v2", 9)
    states = {one.metadata.version: one.state for one in models.versions(["v1", "v2"], archive, active)}
    assert states == {"v1": "in service", "v2": "before"}


def test_an_empty_register_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(ARGUMENTS) == 1
    assert "run the training state machine first" in capsys.readouterr().out
