"""Environment of `get_erasure`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where receipts rest."""

    lake_bucket: str
