"""Environment of `update_profiles`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The table, the stream (for its age), where refreshes and broken records go, and the token keys."""

    table_name: str
    stream_name: str
    refresh_queue_url: str
    quarantine_bucket: str
    token_secret_arn: str
