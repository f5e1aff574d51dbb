"""Environment of `get_experiment`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the results are, and the experiments."""

    table_name: str
    experiments_address: str
