"""Environment of `run_training_step`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The lake, the bucket of runs and models, the table to publish into, code, experiments, lists' floor."""

    lake_bucket: str
    model_bucket: str
    table_name: str
    code_version: str
    experiments_address: str
    fewest_users: str
