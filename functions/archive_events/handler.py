"""Kinesis -> lake."""

from collections.abc import Mapping
from typing import Any

from functions.archive_events.dependencies import dependencies
from personalization.adapters.kinesis import stream_records
from personalization.archiving import archive
from personalization.names import Metric
from personalization.runtime.observability import count, worker


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Write the batch as one object; any fault makes Lambda send the whole batch again."""
    deps = dependencies()
    count(Metric.EVENTS_ARCHIVED, archive(stream_records(event), epoch=deps.epoch, lake=deps.lake))
    return {"batchItemFailures": []}
