"""LightGBM's distributed learner for real: two processes on the loopback, each with half of the users."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from container import link, of_this_night, run, start, write_cluster, write_shop_lake

pytestmark = pytest.mark.xdist_group("containers")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    write_shop_lake(root / "processing" / "input" / "events", users=1_200)
    assert run(root, "prepare", *of_this_night())[0] == 0
    return root / "processing" / "output" / "dataset"


def two_hosts() -> list[str]:
    """Free ports below those that the system hands out to whoever connects meanwhile."""
    hosts: list[str] = []
    while len(hosts) < 2:
        port = random.randrange(15_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            hosts.append(f"127.0.0.1:{port}")
    return hosts


def laid_out(dataset: Path, root: Path, hosts: list[str], current: str) -> Path:
    link(dataset, root / "input/data/dataset")
    write_cluster(root, hosts, current)
    return root


def trained_on_two(dataset: Path, folder: Path) -> list[Path]:
    """Train on two hosts; return the folders of the models that were written."""
    hosts = two_hosts()
    roots = [laid_out(dataset, folder / str(number), hosts, host) for number, host in enumerate(hosts)]
    processes = [start(root, "train", *of_this_night("--version", "v1")) for root in roots]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert (folder / str(hosts.index(min(hosts))) / "model").exists()
    return [root / "model" for root in roots if (root / "model").exists()]


@pytest.fixture(scope="module")
def together(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return trained_on_two(dataset, tmp_path_factory.mktemp("two"))


def told(model: Path) -> dict:
    return json.loads((model / "training.json").read_bytes())


def test_two_hosts_train_one_model_as_good_as_that_of_one(
    dataset: Path, together: list[Path], tmp_path: Path
) -> None:
    (model,) = together
    link(dataset, tmp_path / "input/data/dataset")
    assert run(tmp_path, "train", *of_this_night("--version", "v1"))[0] == 0
    one, two = told(tmp_path / "model"), told(model)
    assert 0.35 < two["training_users"] / one["training_users"] < 0.75
    assert max(two["validation_ndcg_at_10"]) > 0.95 * max(one["validation_ndcg_at_10"])


def test_training_together_again_gives_the_same_bytes_on_other_ports(
    dataset: Path, together: list[Path], tmp_path: Path
) -> None:
    first, again = (
        (model / "ranker.txt").read_text() for model in together + trained_on_two(dataset, tmp_path)
    )
    assert first == again
    assert "[num_machines: 2]" in first
    assert "127.0.0.1" not in first


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_host_that_is_lost_does_not_hold_the_other_for_ever(
    dataset: Path, tmp_path: Path, end: signal.Signals
) -> None:
    hosts = two_hosts()
    roots = [laid_out(dataset, tmp_path / str(number), hosts, host) for number, host in enumerate(hosts)]
    for root in roots:
        (root / "input/config/hyperparameters.json").write_text(json.dumps({"stalled_seconds": "5"}))
    survivor, lost = (start(root, "train", *of_this_night("--version", "v1")) for root in roots)
    _wait_until_both_train(survivor)
    os.kill(lost.pid, end)
    try:
        survivor.communicate(timeout=90)
    finally:
        lost.kill()
        lost.communicate()
        survivor.kill()
    assert survivor.returncode == 1
    reason = (roots[0] / "output" / "failure").read_text()
    assert reason.startswith("train: ")
    assert end is signal.SIGKILL or "the hosts no longer get on: one of them is lost" in reason
    assert not (roots[0] / "model").exists()


def test_a_host_that_leaves_in_order_does_not_hold_the_other_for_ever(dataset: Path, tmp_path: Path) -> None:
    """LightGBM alone may wait: it reads nothing, again and again, from a connection that was closed."""
    hosts = two_hosts()
    roots = [laid_out(dataset, tmp_path / str(number), hosts, host) for number, host in enumerate(hosts)]
    for root, chosen in zip(roots, ({"stalled_seconds": "5"}, {"trees": "3"}), strict=True):
        (root / "input/config/hyperparameters.json").write_text(json.dumps(chosen))
    stays, leaves = (start(root, "train", *of_this_night("--version", "v1")) for root in roots)
    assert leaves.wait(timeout=90) == 0
    stays.communicate(timeout=90)
    assert stays.returncode == 1
    assert not (roots[0] / "model").exists()
    assert (roots[0] / "output" / "failure").read_text().startswith("train: ")


def _wait_until_both_train(process: subprocess.Popen) -> None:
    told = []
    for line in process.stdout or []:
        told.append(line)
        if "total number of machines: 2" in line:
            time.sleep(0.2)
            return
    raise AssertionError(f"the hosts never met: {told}")
