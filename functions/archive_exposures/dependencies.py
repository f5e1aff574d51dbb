"""Wiring of `archive_exposures`, once per container."""

from functools import cache

from functions.archive_exposures.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.s3 import S3Archive
from personalization.ports import Archive
from personalization.runtime.settings import load_settings


@cache
def lake() -> Archive:
    """Build the client."""
    return S3Archive(impatient("s3"), load_settings(Settings).lake_bucket)
