"""Environment of `analyze_experiments`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The lake, which keeps the states as well, the table of results, and the key of receipts."""

    lake_bucket: str
    table_name: str
    token_secret_arn: str
