"""Environment of `put_items`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the items go."""

    stream_name: str
