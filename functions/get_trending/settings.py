"""Environment of `get_trending`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where lists are."""

    table_name: str
