"""Wiring of `get_trending`, once per container."""

from dataclasses import dataclass
from functools import cache

from functions.get_trending.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoListStore
from personalization.ports import ListStore
from personalization.runtime.settings import load_settings
from personalization.serving import SharedLists


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls, and the copy of the shared lists it keeps."""

    store: ListStore
    shared: SharedLists


@cache
def dependencies() -> Dependencies:
    """Build the client."""
    settings = load_settings(Settings)
    return Dependencies(DynamoListStore(impatient("dynamodb"), settings.table_name), SharedLists())
