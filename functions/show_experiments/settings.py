"""Environment of `show_experiments`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where results are."""

    table_name: str
