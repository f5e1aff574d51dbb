"""Environment of `update_profiles`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The table, the stream (for its age), the token key, and where what is not for the table goes.

    Attributes
    ----------
    consent_default
        A `names.Consent`, of who never said anything.
    """

    table_name: str
    stream_name: str
    refresh_queue_url: str
    erasure_queue_url: str
    consent_default: str
    quarantine_bucket: str
    token_secret_arn: str
