"""Environment of `put_consent`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where profiles are, where words and erasures go, and the key of the pseudonyms.

    Attributes
    ----------
    consent_default
        A `names.Consent`, of who never said anything.
    """

    table_name: str
    stream_name: str
    erasure_queue_url: str
    user_key_secret_arn: str
    consent_default: str
