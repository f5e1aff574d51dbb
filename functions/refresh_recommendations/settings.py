"""Environment of `refresh_recommendations`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where profiles and lists are, and where models are published."""

    table_name: str
    model_bucket: str
