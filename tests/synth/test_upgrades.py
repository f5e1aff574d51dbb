"""From the last release to today: nothing that holds data, a position or an address is replaced."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from infrastructure.environments import ENVIRONMENTS
from releases.record import DATA, FOLDER, KEPT, harm, record, replacing
from tests.synth.assembly import Assembly

RELEASES = sorted(FOLDER.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
INTENDED = """
If that is intended, docs/operations.md ("Replace what holds data") says how to bring the data along. Then
record the release that it becomes part of: PYTHONPATH=tests python -m releases VERSION
"""


def released(name: str) -> dict[str, Any]:
    return json.loads(RELEASES[-1].read_text())[name]


def test_an_upgrade_from_the_last_release_replaces_nothing_that_must_stay(assembly: Assembly) -> None:
    found = list(harm(released(assembly.environment.name), assembly))
    assert not found, "\n".join(["", *found, INTENDED])


def test_each_environment_of_the_release_is_recorded_with_its_table_buckets_and_stream() -> None:
    for name in ENVIRONMENTS:
        types = {row["Type"] for stack in released(name)["resources"].values() for row in stack.values()}
        assert types >= DATA - {"AWS::KMS::Key", "AWS::Cognito::UserPool"}
        assert types <= KEPT


def test_what_replaces_a_resource_is_what_cdk_diff_says() -> None:
    assert replacing().keys() == KEPT
    assert {"KeySchema", "TableName"} <= replacing()["AWS::DynamoDB::Table"]
    assert {"EventSourceArn", "StartingPosition"} <= replacing()["AWS::Lambda::EventSourceMapping"]
    assert "FunctionName" not in replacing()["AWS::Lambda::EventSourceMapping"]


def _rename(row: dict[str, Any]) -> None:
    row["Properties"]["TableName"] = "another"


def _lose(row: dict[str, Any]) -> None:
    row["DeletionPolicy"], row["UpdateReplacePolicy"] = "Retain", "Snapshot"


def _retype(row: dict[str, Any]) -> None:
    row["Type"] = "AWS::DynamoDB::GlobalTable"


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (_rename, ["would be replaced: its TableName changes"]),
        (_retype, ["would be replaced: it was AWS::DynamoDB::GlobalTable and is AWS::DynamoDB::Table"]),
        (_lose, ["would lose its DeletionPolicy Retain", "would lose its UpdateReplacePolicy Snapshot"]),
    ],
)
def test_each_kind_of_harm_is_found(
    dev: Assembly, before: Callable[[dict[str, Any]], None], told: list[str]
) -> None:
    release = copy.deepcopy(dict(record(dev)))
    table = dev.one("AWS::DynamoDB::Table").logical_id
    before(release["resources"]["attune-dev-data"][table])
    assert list(harm(release, dev)) == [f"attune-dev-data {table} {sentence}" for sentence in told]


def test_a_resource_under_another_logical_id_and_a_lost_export_are_found(dev: Assembly) -> None:
    release = copy.deepcopy(dict(record(dev)))
    release["resources"]["attune-dev-data"]["OldTable"] = {"Type": "AWS::DynamoDB::Table"}
    release["imports"].append("attune-dev-data:ExportsOutputRefOldTable")
    gone, unexported = harm(release, dev)
    assert gone.startswith("attune-dev-data OldTable (AWS::DynamoDB::Table) would be deleted")
    assert "ExportsOutputRefOldTable is exported no more" in unexported


def test_what_prod_holds_outlives_a_destroyed_stack_and_dev_leaves_nothing(
    prod: Assembly, dev: Assembly
) -> None:
    for assembly, policy in ((prod, "Retain"), (dev, "Delete")):
        held = [row for row in assembly.resources if row.type in DATA]
        assert {row.type for row in held} >= DATA - {"AWS::KMS::Key"}
        for row in held:
            assert row.body["DeletionPolicy"] == row.body["UpdateReplacePolicy"] == policy, row.logical_id
    others = [row.logical_id for row in prod.resources if row.body.get("DeletionPolicy") == "Retain"]
    assert set(others) == {row.logical_id for row in prod.resources if row.type in DATA}
