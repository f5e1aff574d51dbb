"""Wiring of `show_experiments`, once per container."""

from functools import cache

from functions.show_experiments.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoReports
from personalization.runtime.settings import load_settings


@cache
def reports() -> DynamoReports:
    """Build the client."""
    return DynamoReports(impatient("dynamodb"), load_settings(Settings).table_name)
