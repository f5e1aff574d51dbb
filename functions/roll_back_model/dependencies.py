"""Wiring of `roll_back_model`, once per container."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from functions.roll_back_model.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoListStore
from personalization.ports import ListStore
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    lists: ListStore
    within: timedelta


@cache
def dependencies() -> Dependencies:
    """Build the client."""
    settings = load_settings(Settings)
    lists = DynamoListStore(impatient("dynamodb"), settings.table_name)
    return Dependencies(lists, timedelta(hours=float(settings.rollback_hours)))
