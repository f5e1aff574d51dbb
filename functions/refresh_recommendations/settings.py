"""Environment of `refresh_recommendations`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where profiles and lists are, where models are published, and where experiments are defined."""

    table_name: str
    model_bucket: str
    experiments_address: str
