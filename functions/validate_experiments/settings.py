"""Environment of `validate_experiments`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Nothing: what it judges comes with the call."""
