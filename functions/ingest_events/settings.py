"""Environment of `ingest_events`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where events go, and the key of the pseudonyms."""

    stream_name: str
    user_key_secret_arn: str
