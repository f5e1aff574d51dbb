"""Environment of `roll_back_model`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the model in service is named, and how long after its publish it may be to blame."""

    table_name: str
    rollback_hours: str
