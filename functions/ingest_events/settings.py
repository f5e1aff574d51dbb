"""Environment of `ingest_events`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where events go, the key of the pseudonyms, and those of the guests' tokens."""

    stream_name: str
    user_key_secret_arn: str
    guest_secret_arn: str
