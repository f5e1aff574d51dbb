"""Wiring of `get_erasure`, once per container."""

from functools import cache

from functions.get_erasure.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.erasures import S3Erasures
from personalization.erasure import ErasureLog
from personalization.runtime.settings import load_settings


@cache
def receipts() -> ErasureLog:
    """Build the client."""
    return S3Erasures(impatient("s3"), load_settings(Settings).lake_bucket)
