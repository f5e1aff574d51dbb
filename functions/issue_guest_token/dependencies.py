"""Wiring of `issue_guest_token`, once per container."""

from functools import cache

from functions.issue_guest_token.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.secrets import RotatedSecret
from personalization.runtime.clock import now
from personalization.runtime.settings import load_settings


@cache
def guest_secret() -> RotatedSecret:
    """Build the client; the keys are read with the first token."""
    return RotatedSecret(impatient("secretsmanager"), load_settings(Settings).guest_secret_arn, now)
