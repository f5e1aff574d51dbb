"""Environment of `rotate_secret`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The secrets that may be rotated, and no other."""

    token_secret_arn: str
    guest_secret_arn: str
