"""Wiring of `get_trending`, once per container."""

from dataclasses import dataclass
from functools import cache, partial

from functions.get_trending.settings import Settings
from personalization.adapters.clients import impatient, in_an_answer
from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.s3 import SharedCopy
from personalization.deadlines import Guard
from personalization.runtime.settings import load_settings
from personalization.shared import SharedLists, SharedReader


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls, and how long its answer may take."""

    reader: SharedReader
    answer_seconds: float


@cache
def dependencies() -> Dependencies:
    """Build the client."""
    settings = load_settings(Settings)
    seconds = int(settings.answer_milliseconds) / 1_000
    patience = in_an_answer(seconds)
    reader = SharedReader(
        store=DynamoListStore(impatient("dynamodb", patience), settings.table_name, read_attempts=1),
        shared=SharedLists(),
        last_copy=SharedCopy(partial(impatient, "s3", patience), settings.model_bucket).read,
        table=Guard(),
        copy=Guard(attempts=1),
    )
    return Dependencies(reader, seconds)
