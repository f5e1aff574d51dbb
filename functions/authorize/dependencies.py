"""Wiring of `authorize`, once per container."""

from functools import cache

from functions.authorize.settings import Settings
from personalization.access_tokens import Provider
from personalization.adapters.clients import impatient
from personalization.adapters.jwks import PublishedKeys
from personalization.adapters.secrets import RotatedSecret
from personalization.admission import Admission
from personalization.runtime.clock import now
from personalization.runtime.settings import load_settings


@cache
def admission() -> Admission:
    """Build the clients; keys are read with the first token that needs them."""
    settings = load_settings(Settings)
    return Admission(
        guest_keys=RotatedSecret(impatient("secretsmanager"), settings.guest_secret_arn, now).accepted,
        provider=None if settings.issuer == "none" else Provider(settings.issuer, settings.audience),
        key_of=PublishedKeys(settings.keys_url, now).find,
    )
