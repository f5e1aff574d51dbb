"""LightGBM's distributed learner for real: two processes on the loopback, each with half of the users."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from container import link, of_this_night, run, start, write_cluster, write_shop_lake

pytestmark = pytest.mark.xdist_group("containers")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    write_shop_lake(root / "processing" / "input" / "events", users=600)
    assert run(root, "prepare", *of_this_night())[0] == 0
    return root / "processing" / "output" / "dataset"


def two_hosts() -> list[str]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    hosts = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    return hosts


def laid_out(dataset: Path, root: Path, hosts: list[str], current: str) -> Path:
    link(dataset, root / "input/data/dataset")
    write_cluster(root, hosts, current)
    return root


def trained_on_two(dataset: Path, folder: Path) -> list[tuple[Path, int, str]]:
    hosts = two_hosts()
    roots = [laid_out(dataset, folder / str(number), hosts, host) for number, host in enumerate(hosts)]
    processes = [start(root, "train", *of_this_night("--version", "v1")) for root in roots]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    return [
        (root, process.returncode, output)
        for root, process, output in zip(roots, processes, outputs, strict=True)
    ]


def ndcg(root: Path) -> float:
    return max(json.loads((root / "model/training.json").read_bytes())["validation_ndcg_at_10"])


def test_two_hosts_train_one_model_as_good_as_that_of_one(dataset: Path, tmp_path: Path) -> None:
    results = trained_on_two(dataset, tmp_path / "two")
    assert [code for _, code, _ in results] == [0, 0], results
    written = [root for root, _, _ in results if (root / "model").exists()]
    assert [
        json.loads((root / "input/config/resourceconfig.json").read_bytes())["current_host"]
        for root in written
    ] == [min(json.loads((written[0] / "input/config/resourceconfig.json").read_bytes())["hosts"])]
    alone = tmp_path / "one"
    link(dataset, alone / "input/data/dataset")
    assert run(alone, "train", *of_this_night("--version", "v1"))[0] == 0
    one, two = (json.loads((root / "model/training.json").read_bytes()) for root in (alone, written[0]))
    assert 0.35 < two["training_users"] / one["training_users"] < 0.75
    assert ndcg(written[0]) > 0.95 * ndcg(alone)


def test_training_together_again_gives_the_same_bytes_on_other_addresses(
    dataset: Path, tmp_path: Path
) -> None:
    texts = []
    for name in ("first", "again"):
        roots = [root for root, code, _ in trained_on_two(dataset, tmp_path / name) if code == 0]
        (model,) = [root / "model/ranker.txt" for root in roots if (root / "model").exists()]
        texts.append(model.read_text())
    assert texts[0] == texts[1]
    assert "[num_machines: 2]" in texts[0]
    assert "127.0.0.1" not in texts[0]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_host_that_is_lost_does_not_hold_the_other_for_ever(
    dataset: Path, tmp_path: Path, end: signal.Signals
) -> None:
    hosts = two_hosts()
    roots = [laid_out(dataset, tmp_path / str(number), hosts, host) for number, host in enumerate(hosts)]
    for root in roots:
        (root / "input/config/hyperparameters.json").write_text(json.dumps({"stalled_seconds": "8"}))
    survivor, lost = (start(root, "train", *of_this_night("--version", "v1")) for root in roots)
    _wait_until_both_train(survivor)
    os.kill(lost.pid, end)
    try:
        output, _ = survivor.communicate(timeout=90)
    finally:
        lost.kill()
        lost.communicate()
        survivor.kill()
    assert survivor.returncode == 1
    assert (roots[0] / "output" / "failure").read_text().startswith("train: ")
    assert not (roots[0] / "model").exists()


def _wait_until_both_train(process: subprocess.Popen) -> None:
    for line in process.stdout or []:
        if "total number of machines: 2" in line:
            time.sleep(0.2)
            return
    raise AssertionError("the hosts never met")
