"""Environment of `erase_users`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where data about people rests, and for how many days what can't be rewritten is kept, as JSON."""

    table_name: str
    lake_bucket: str
    model_bucket: str
    retention: str
