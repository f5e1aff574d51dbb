"""What SageMaker expects of the image: the very entry point, as processes over folders like /opt/ml."""

import json
from pathlib import Path

import pytest

from container import END, link, of_this_night, run, write_shop_lake
from personalization import keys
from training.cluster import ALONE
from training.folders import Folders
from training.lists import read_lists
from training.user_shards import shard_of

pytestmark = pytest.mark.xdist_group("containers")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root after prepare in two shards and train, whose folders later jobs are given."""
    root = tmp_path_factory.mktemp("night")
    write_shop_lake(root / "processing" / "input" / "events")
    code, output = run(root, "prepare", *of_this_night("--shard-count", "2"))
    assert code == 0, output
    link(root / "processing/output/dataset", root / "input/data/dataset")
    config = root / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps({"trees": "7", "seed": "3"}))
    (config / "inputdataconfig.json").write_text(json.dumps({"dataset": {"TrainingInputMode": "File"}}))
    (config / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    code, output = run(root, "train", *of_this_night("--version", "v1"))
    assert code == 0, output
    return root


def ranked(night: Path, root: Path, *shards: str) -> dict:
    """Run rank on an instance that was given some of the shard files; return its lists by key."""
    link(night / "model", root / "processing/input/model")
    for shard in shards:
        name = f"{shard}.msgpack"
        link(night / "processing/output/users" / name, root / "processing/input/users" / name)
    code, output = run(root, "rank", *of_this_night())
    assert code == 0, output
    return {stored.key: stored for stored in read_lists(root / "processing/output/lists")}


def test_training_obeys_its_hyperparameters_and_leaves_a_model(night: Path) -> None:
    training = json.loads((night / "model" / "training.json").read_bytes())
    assert training["trees"] == 7
    assert "[seed: 3]" in (night / "model" / "ranker.txt").read_text()
    assert json.loads((night / "model" / "metadata.json").read_bytes())["version"] == "v1"


def test_two_instances_with_a_shard_each_rank_what_one_with_both_does(night: Path, tmp_path: Path) -> None:
    whole = ranked(night, tmp_path / "whole", "00000", "00001")
    parts = [ranked(night, tmp_path / shard, shard) for shard in ("00000", "00001")]
    assert parts[0] | parts[1] == whole
    assert not parts[0].keys() & parts[1].keys()
    assert len(parts[0]) > 20
    assert len(parts[1]) > 20
    for number, part in enumerate(parts):
        assert {shard_of(key.pk.removeprefix("USER#"), 2) for key in part} == {number}


def test_the_lists_that_users_share_are_made_without_the_users_shards(night: Path, tmp_path: Path) -> None:
    link(night / "model", tmp_path / "processing/input/model")
    link(night / "processing/output/dataset", tmp_path / "processing/input/dataset")
    code, output = run(tmp_path, "share", *of_this_night())
    assert code == 0, output
    shared = {stored.key for stored in read_lists(tmp_path / "processing/output/lists")}
    assert keys.segment_key(keys.POPULAR, version="v1") in shared
    assert all(key.pk.startswith("SEGMENT#") for key in shared)


def test_an_interrupted_training_goes_on_from_its_examples_and_makes_the_same_model(
    night: Path, tmp_path: Path
) -> None:
    link(night / "processing/output/dataset", tmp_path / "input/data/dataset")
    link(night / "input/config", tmp_path / "input/config")
    (tmp_path / "checkpoints").mkdir()
    assert run(tmp_path, "train", *of_this_night("--version", "v1"))[0] == 0
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    first, written_at = (tmp_path / "model/ranker.txt").read_bytes(), checkpoint.stat().st_mtime_ns
    assert run(tmp_path, "train", *of_this_night("--version", "v1"))[0] == 0
    assert checkpoint.stat().st_mtime_ns == written_at
    assert first == (tmp_path / "model/ranker.txt").read_bytes() == (night / "model/ranker.txt").read_bytes()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1_000])
    assert run(tmp_path, "train", *of_this_night("--version", "v1"))[0] == 0
    assert checkpoint.stat().st_size > 1_000
    assert first == (tmp_path / "model/ranker.txt").read_bytes()


@pytest.mark.parametrize(
    ("step", "options", "reason"),
    [
        ("prepare", ["--now", END.isoformat()], "prepare: InvalidInput: no_events: the lake holds no event"),
        ("train", ["--now", END.isoformat(), "--version", "v1"], "train: FileNotFoundError"),
        ("train", [], "train: ValueError: '--root"),
        ("rank", ["--now", END.isoformat()], "rank: ModelError: model holds no metadata.json"),
        ("rank", ["--now", "tonight"], "rank: ValueError: '--root"),
    ],
)
def test_a_failure_leaves_its_reason_where_sagemaker_looks_and_an_exit_code(
    tmp_path: Path, step: str, options: list[str], reason: str
) -> None:
    code, output = run(tmp_path, step, *options)
    assert code == 1
    assert "Traceback" in output
    for name in ("failure", "message"):
        told = (tmp_path / "output" / name).read_text()
        assert told.startswith(reason)
        assert len(told) <= 1_000


def test_hosts_are_read_where_either_kind_of_job_is_told_them(tmp_path: Path) -> None:
    assert Folders(tmp_path).cluster() == ALONE
    for kind, current in (("config", "algo-10"), ("input/config", "algo-2")):
        folder = tmp_path / kind
        folder.mkdir(parents=True)
        config = {"current_host": current, "hosts": ["algo-2", "algo-10", "algo-1"]}
        (folder / "resourceconfig.json").write_text(json.dumps(config))
        cluster = Folders(tmp_path).cluster()
        assert (cluster.current, cluster.size) == (current, 3)
        assert cluster.hosts[cluster.place] == current
    (tmp_path / "input/config/resourceconfig.json").write_text('{"current_host": "x", "hosts": ["y"]}')
    with pytest.raises(ValueError, match="none of"):
        Folders(tmp_path).cluster()
