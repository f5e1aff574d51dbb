"""Environment of `analyze_experiments`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The lake, which keeps the states too, the table of results, the key of receipts, the experiments."""

    lake_bucket: str
    table_name: str
    token_secret_arn: str
    experiments_address: str
