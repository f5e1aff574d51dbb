"""Wiring of `show_experiments`, once per container."""

from functools import cache

from functions.show_experiments.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.runtime.settings import load_settings


@cache
def experiments() -> DynamoExperimentStore:
    """Build the client."""
    return DynamoExperimentStore(impatient("dynamodb"), load_settings(Settings).table_name)
