"""Environment of `delete_user`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where profiles, tombstones and the work on erasures rest, and the key of users."""

    table_name: str
    lake_bucket: str
    erasure_queue_url: str
    user_key_secret_arn: str
