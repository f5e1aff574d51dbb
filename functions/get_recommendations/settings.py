"""Environment of `get_recommendations`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where lists are, where refreshes go, the two keys, and the experiments.

    Attributes
    ----------
    model_bucket
        Where what all users share was last published to.
    answer_milliseconds
        How long an answer may take, once the container has its keys.
    experiments_address
        `adapters.appconfig.Address`.
    default_treatments
        The definitions without their experiments, for as long as none can be read.
    consent_default
        A `names.Consent`, of who never said anything.
    """

    table_name: str
    refresh_queue_url: str
    model_bucket: str
    answer_milliseconds: str
    user_key_secret_arn: str
    token_secret_arn: str
    experiments_address: str
    default_treatments: str
    consent_default: str
