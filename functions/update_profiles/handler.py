"""Kinesis -> profiles."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from functions.update_profiles.dependencies import projector
from personalization.adapters.clients import BEHIND_A_QUEUE
from personalization.adapters.kinesis import stream_records
from personalization.metric_catalogue import BY_SURFACE_AND_VARIANT
from personalization.names import Metric
from personalization.projection import Projection
from personalization.runtime.clock import now
from personalization.runtime.due import due_in
from personalization.runtime.observability import count, milliseconds, worker, write_by

_METRICS = {
    "applied": Metric.EVENTS_APPLIED,
    "duplicate": Metric.EVENTS_DUPLICATE,
    "filtered": Metric.EVENTS_FILTERED,
    "quarantined": Metric.EVENTS_QUARANTINED,
}
_UNITS = {Metric.DWELL: MetricUnit.Seconds, Metric.REVENUE: MetricUnit.NoUnit}
_WORST_SECONDS = 2 * BEHIND_A_QUEUE.seconds + 3
"""How long what was begun may go on: a write and a read of a table that hangs."""


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Apply a batch, as much as there is time for; report the records Lambda must send again."""
    deadline = due_in(float("inf"), context, reserve=_WORST_SECONDS)
    projection = projector().project(stream_records(event), deadline)
    measure(projection)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in projection.failed]}


def measure(projection: Projection) -> None:
    """Write what a batch did: the books, the lag, and what recommendations brought about."""
    for outcome, metric in _METRICS.items():
        count(metric, projection.outcomes[outcome])
    if projection.newest is not None:
        milliseconds(Metric.EVENT_LAG, max(0.0, (now() - projection.newest).total_seconds() * 1000))
    lines: dict[tuple[str, ...], list[tuple[Metric, MetricUnit, float]]] = {}
    for series, value in projection.attributions.items():
        named = tuple(filter(None, (series.surface, series.experiment, series.variant)))
        unit = _UNITS.get(series.metric, MetricUnit.Count)
        lines.setdefault(named, []).append((series.metric, unit, value))
    for named, values in lines.items():
        write_by(dict(zip(BY_SURFACE_AND_VARIANT, named, strict=False)), values)
