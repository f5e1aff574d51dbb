"""Wiring of `archive_events`, once per container."""

from dataclasses import dataclass
from functools import cache

from functions.archive_events.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.kinesis import stream_epoch
from personalization.adapters.s3 import S3Archive
from personalization.ports import Archive
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    lake: Archive
    epoch: int


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the stream's epoch."""
    settings = load_settings(Settings)
    return Dependencies(
        lake=S3Archive(impatient("s3"), settings.lake_bucket),
        epoch=stream_epoch(impatient("kinesis"), settings.stream_name),
    )
