"""Wiring of `run_training_step`, once per container."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import boto3

from functions.run_training_step.settings import Settings
from personalization.runtime.settings import load_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    objects: "S3Client"
    settings: Settings


@cache
def dependencies() -> Dependencies:
    """Build the client."""
    return Dependencies(boto3.client("s3"), load_settings(Settings))
