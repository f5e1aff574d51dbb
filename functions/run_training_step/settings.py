"""Environment of `run_training_step`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The lake, the bucket of runs and models, and the table to publish into."""

    lake_bucket: str
    model_bucket: str
    table_name: str
