"""Wiring of `build_image`, once per container."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_codebuild import CodeBuildClient


@cache
def builds() -> "CodeBuildClient":
    """Return the client of CodeBuild."""
    return boto3.client("codebuild")
