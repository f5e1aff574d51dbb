"""Environment of `authorize`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The secret of the guests' tokens, and whose tokens are good besides; "none" where nobody's are."""

    guest_secret_arn: str
    issuer: str
    audience: str
    keys_url: str
