"""Environment of `build_image`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Nothing: the event names the project."""
