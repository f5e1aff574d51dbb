"""The script that builds the image of the jobs, with commands that write down how they were called."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "training" / "container" / "build.sh"
IMAGE = "1.dkr.ecr.eu-west-1.amazonaws.com/jobs:abc"


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with `aws` and `docker`, of which a subcommand fails where a file says so."""
    for name in ("aws", "docker"):
        command = tmp_path / name
        command.write_text(
            f'#!/usr/bin/env bash\necho "{name} $*" >> "{tmp_path}/calls"\n'
            f'[ ! -e "{tmp_path}/$1-fails" ] && [ ! -e "{tmp_path}/$2-fails" ]\n'
        )
        command.chmod(0o755)
    return tmp_path


def build(commands: Path) -> tuple[int, list[str]]:
    variables = {"REPOSITORY_URI": IMAGE.rpartition(":")[0], "REPOSITORY_NAME": "jobs", "IMAGE_TAG": "abc"}
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", SCRIPT], env=os.environ | variables | {"PATH": path}, check=False)
    return done.returncode, (commands / "calls").read_text().splitlines()


def test_a_new_tag_is_built_and_pushed(commands: Path) -> None:
    (commands / "describe-images-fails").touch()
    code, calls = build(commands)
    assert code == 0
    assert calls[0] == "aws ecr describe-images --repository-name jobs --image-ids imageTag=abc"
    assert "docker login --username AWS --password-stdin 1.dkr.ecr.eu-west-1.amazonaws.com" in calls
    assert calls[-2].endswith(f"--file training/container/Dockerfile --tag {IMAGE} .")
    assert calls[-1] == f"docker push {IMAGE}"


def test_a_tag_that_is_there_is_left_as_it_is(commands: Path) -> None:
    code, calls = build(commands)
    assert code == 0
    assert not [call for call in calls if call.startswith("docker")]


@pytest.mark.parametrize("broken", ["build", "push"])
def test_a_build_that_fails_says_so(commands: Path, broken: str) -> None:
    (commands / "describe-images-fails").touch()
    (commands / f"{broken}-fails").touch()
    code, calls = build(commands)
    assert code != 0
    assert calls[-1].startswith(f"docker {broken}")
