"""Environment of `get_user`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where data about people rests, where exports are asked for, the key of users, and the experiments."""

    table_name: str
    lake_bucket: str
    erasure_queue_url: str
    user_key_secret_arn: str
    experiments_address: str
