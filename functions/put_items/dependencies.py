"""Wiring of `put_items`, once per container."""

from functools import cache

from functions.put_items.settings import Settings
from personalization.adapters.clients import INGESTING, impatient
from personalization.adapters.kinesis import KinesisEventStream
from personalization.ports import EventStream
from personalization.runtime.settings import load_settings


@cache
def event_stream() -> EventStream:
    """Build the stream that items are appended to."""
    settings = load_settings(Settings)
    return KinesisEventStream(impatient("kinesis", INGESTING), settings.stream_name)
