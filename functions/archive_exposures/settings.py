"""Environment of `archive_exposures`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The lake, which holds the quarantine as well."""

    lake_bucket: str
