"""Environment of `ingest_events`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where events go, the key of the pseudonyms, those of the guests' tokens, and where consent is read.

    Attributes
    ----------
    consent_default
        A `names.Consent`, of who never said anything.
    """

    stream_name: str
    user_key_secret_arn: str
    guest_secret_arn: str
    table_name: str
    consent_default: str
