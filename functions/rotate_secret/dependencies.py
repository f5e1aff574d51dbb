"""Wiring of `rotate_secret`, once per container."""

from dataclasses import astuple
from functools import cache
from typing import TYPE_CHECKING

from functions.rotate_secret.settings import Settings
from personalization.adapters.clients import impatient
from personalization.runtime.settings import load_settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@cache
def secrets_manager() -> "SecretsManagerClient":
    """Build the client."""
    client: SecretsManagerClient = impatient("secretsmanager")
    return client


@cache
def rotated() -> frozenset[str]:
    """Return the ARNs of the secrets that rotate."""
    return frozenset(astuple(load_settings(Settings)))
