"""The workflows of .github: pinned, least privileged, and each of their commands exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.environments import ENVIRONMENTS, as_asked

ROOT = Path(__file__).parents[2]
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
MAKEFILE = (ROOT / "Makefile").read_text()
JOBS = [(name, job, row) for name, flow in WORKFLOWS.items() for job, row in flow["jobs"].items()]
STEPS = [(f"{name}: {job}", step) for name, job, row in JOBS for step in row["steps"]]


def triggers(workflow: dict[Any, Any]) -> Any:
    """YAML 1.1 reads the word `on` as true."""
    return workflow[True]


def test_a_pull_request_is_checked_tested_and_compared_with_what_is_deployed() -> None:
    assert "pull_request" in triggers(WORKFLOWS["ci.yml"])
    assert "pull_request_target" not in str(WORKFLOWS)
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    assert "make test" in runs(jobs["test"])
    assert "make prove" in runs(jobs["prove"])
    assert runs(jobs["diff"])[-1] == 'make diff ENV="$ENVIRONMENT"'
    assert set(jobs["diff"]["strategy"]["matrix"]["environment"]) == ENVIRONMENTS.keys() - {"local"}


def test_a_deployment_is_started_by_hand_and_approved_in_its_environment() -> None:
    workflow = WORKFLOWS["deploy.yml"]
    assert triggers(workflow).keys() == {"workflow_dispatch"}
    choices = triggers(workflow)["workflow_dispatch"]["inputs"]
    assert set(choices["environment"]["options"]) == ENVIRONMENTS.keys() - {"local"}
    for rollout in set(choices["rollout"]["options"]) - {"as-configured"}:
        assert as_asked("prod", rollout=rollout)
    assert workflow["jobs"]["deploy"]["environment"] == "${{ inputs.environment }}"
    assert workflow["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize(("place", "step"), STEPS, ids=lambda part: part if isinstance(part, str) else "")
def test_every_action_is_pinned_by_commit_and_every_command_is_a_target(
    place: str, step: dict[str, Any]
) -> None:
    if "uses" in step:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        return
    command, target, *rest = shlex.split(step["run"])
    assert command == "make"
    assert f"\n{target}: setup ##" in MAKEFILE or f"\n{target}: check ##" in MAKEFILE or target == "setup"
    for word in rest:
        variable = word.partition("=")[0]
        assert f"$({variable})" in MAKEFILE, f"{target} reads no {variable}"
    # What a person typed reaches the shell by a variable, never as text of the script.
    assert "${{" not in step["run"]


def test_a_pinned_action_says_which_version_it_is() -> None:
    for name in WORKFLOWS:
        for line in (ROOT / ".github" / "workflows" / name).read_text().splitlines():
            if "uses:" in line:
                assert re.search(r" # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize(("name", "job", "row"), JOBS, ids=[f"{name}: {job}" for name, job, _ in JOBS])
def test_a_job_may_read_the_code_and_get_an_identity_only_where_it_needs_one(
    name: str, job: str, row: dict[str, Any]
) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    wanted = any("configure-aws-credentials" in step.get("uses", "") for step in row["steps"])
    assert ("id-token" in row.get("permissions", {})) is wanted
    assert set(row.get("permissions", {}).values()) <= {"read", "write"}
    assert row["timeout-minutes"] <= 120
    for step in row["steps"]:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        if "configure-aws-credentials" in step.get("uses", ""):
            assert step["with"]["role-to-assume"].startswith("${{ vars.")
            assert not {"aws-access-key-id", "aws-secret-access-key"} & step["with"].keys()


def test_a_fork_gets_no_identity() -> None:
    assert "head.repo.full_name == github.repository" in WORKFLOWS["ci.yml"]["jobs"]["diff"]["if"]


def runs(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]
