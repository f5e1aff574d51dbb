"""Environment of `get_console_data`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where lists, results, models and experiments are, how users become keys, and which alarms are ours.

    Attributes
    ----------
    consent_default
        A `names.Consent`, of who never said anything.
    """

    table_name: str
    model_bucket: str
    user_key_secret_arn: str
    alarm_prefix: str
    experiments_address: str
    consent_default: str
