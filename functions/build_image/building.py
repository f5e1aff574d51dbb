"""Starts a build and waits for its end."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_codebuild import CodeBuildClient
    from mypy_boto3_codebuild.type_defs import BuildTypeDef

POLL_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
"""Kept for telling CloudFormation: one that is not told waits until its own time-out."""


class BuildFailedError(RuntimeError):
    """The build ended badly, or not in time; the message leads to its log."""


def build(client: "CodeBuildClient", project: str, tag: str, *, seconds_left: Callable[[], float]) -> None:
    """Build a project's source and wait. CloudFormation may ask twice: the same tag is built once.

    Raises
    ------
    BuildFailedError
        There is no image of this tag.
    """
    token = f"{project}-{tag}"[-64:]
    started = client.start_build(projectName=project, idempotencyToken=token)["build"]
    found = started
    while found["buildStatus"] == "IN_PROGRESS" and seconds_left() > ANSWER_SECONDS:
        time.sleep(POLL_SECONDS)
        (found,) = client.batch_get_builds(ids=[started["id"]])["builds"]
    if found["buildStatus"] != "SUCCEEDED":
        raise BuildFailedError(f"image {tag}: the build {found['buildStatus']}; see {_log_of(found)}")


def _log_of(found: "BuildTypeDef") -> str:
    return found.get("logs", {}).get("deepLink") or found["id"]
