"""Environment of `archive_events`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The lake, and the stream (for its age)."""

    lake_bucket: str
    stream_name: str
