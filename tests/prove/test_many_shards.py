"""Lists are the same, byte for byte, whatever the number of shards, and whoever ranks which of them."""

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path

import boto3
import pytest

from container import END, link, of_this_night, run, write_shop_lake
from factories import lambda_of
from functions.run_training_step.handler import handler
from integration.conftest import Platform, platform

__all__ = ["platform"]
USERS, SHARDS, INSTANCES = 600, 64, 5


def step(name: str, shard_count: int, **more: object) -> Mapping[str, object]:
    event = {"step": name, "run_id": "night", "now": END.isoformat(), "shard_count": shard_count, **more}
    return handler(event, lambda_of())


def lines(files: Iterable[bytes]) -> list[bytes]:
    """All lists of some files, in no order of theirs."""
    return sorted(line for body in files for line in gzip.decompress(body).splitlines())


def ranked_by_lambda(shard_count: int) -> list[bytes]:
    """Do what the Distributed Map does: an invocation for each shard of the night."""
    models = boto3.resource("s3").Bucket("models")
    models.objects.filter(Prefix="runs/").delete()
    step("champion", shard_count)
    shards = step("prepare", shard_count)["shards"]
    assert len(shards) == shard_count
    step("train", shard_count, hyperparameters={"trees": 8})
    for shard in shards:
        step("rank", shard_count, shard=shard)
    return lines(found.get()["Body"].read() for found in models.objects.filter(Prefix="runs/night/lists/"))


def test_sixty_four_shards_of_a_distributed_map_make_the_lists_of_one(
    platform: Platform, tmp_path: Path
) -> None:
    write_shop_lake(tmp_path / "lake", users=USERS, items=120)
    body = (tmp_path / "lake" / "0.jsonl.gz").read_bytes()
    boto3.client("s3").put_object(Bucket="lake", Key="events/date=2026-01-15/0.jsonl.gz", Body=body)
    alone = ranked_by_lambda(1)
    assert len(alone) > USERS / 2
    assert ranked_by_lambda(SHARDS) == alone


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night up to its model, its users in 64 files."""
    root = tmp_path_factory.mktemp("night")
    write_shop_lake(root / "processing" / "input" / "events", users=USERS, items=120)
    assert run(root, "prepare", *of_this_night("--shard-count", str(SHARDS)))[0] == 0
    link(root / "processing/output/dataset", root / "input/data/dataset")
    assert run(root, "train", *of_this_night("--version", "v1"))[0] == 0
    return root


def ranked_by_instance(night: Path, root: Path, files: Iterable[Path]) -> list[bytes]:
    """Rank the users of some files, as an instance that was given these by ``ShardedByS3Key``."""
    link(night / "model", root / "processing/input/model")
    for channel in ("users", "experiments", "tried"):
        (root / "processing/input" / channel).mkdir(parents=True)
    for path in files:
        link(path, root / "processing/input/users" / path.name)
    code, output = run(root, "rank", *of_this_night())
    assert code == 0, output
    return lines(path.read_bytes() for path in (root / "processing/output/lists").iterdir())


def test_instances_that_share_the_shards_out_make_the_lists_of_one(night: Path, tmp_path: Path) -> None:
    files = sorted((night / "processing/output/users").glob("*.msgpack"))
    assert len(files) == SHARDS
    alone = ranked_by_instance(night, tmp_path / "alone", files)
    dealt = [
        ranked_by_instance(night, tmp_path / str(number), files[number::INSTANCES])
        for number in range(INSTANCES)
    ]
    assert len(alone) > USERS / 2
    assert all(dealt)
    assert sorted(line for some in dealt for line in some) == alone
