"""Environment of `refresh_recommendations`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where profiles and lists are, where models are published, and where experiments are defined.

    Attributes
    ----------
    consent_default
        A `names.Consent`, of who never said anything.
    """

    table_name: str
    model_bucket: str
    experiments_address: str
    consent_default: str
