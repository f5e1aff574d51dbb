"""Environment of `issue_guest_token`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The secret that signs."""

    guest_secret_arn: str
