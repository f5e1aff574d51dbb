"""Environment of `get_experiment`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the results are."""

    table_name: str
