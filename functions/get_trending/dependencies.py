"""Wiring of `get_trending`, once per container."""

from dataclasses import dataclass
from functools import cache, partial

from functions.get_trending.settings import Settings
from personalization.adapters.clients import IN_THE_ANSWER, impatient
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
    reader = SharedReader(
        store=DynamoListStore(impatient("dynamodb", IN_THE_ANSWER), settings.table_name, read_attempts=1),
        shared=SharedLists(),
        last_copy=SharedCopy(partial(impatient, "s3", IN_THE_ANSWER), settings.model_bucket).read,
        table=Guard(),
        copy=Guard(attempts=1),
    )
    return Dependencies(reader, int(settings.answer_milliseconds) / 1_000)
