"""Environment of `get_recommendations`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where lists are, where refreshes go, and the two keys."""

    table_name: str
    refresh_queue_url: str
    user_key_secret_arn: str
    token_secret_arn: str
