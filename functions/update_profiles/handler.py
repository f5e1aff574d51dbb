"""Kinesis -> profiles."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from functions.update_profiles.dependencies import projector
from personalization.adapters.kinesis import stream_records
from personalization.attribution import Attribution
from personalization.names import Dimension, Metric
from personalization.projection import Projection
from personalization.runtime.clock import now
from personalization.runtime.observability import count, count_by, metrics, milliseconds

_METRICS = {
    "applied": Metric.EVENTS_APPLIED,
    "duplicate": Metric.EVENTS_DUPLICATE,
    "filtered": Metric.EVENTS_FILTERED,
    "quarantined": Metric.EVENTS_QUARANTINED,
}
_UNITS = {Metric.DWELL: MetricUnit.Seconds, Metric.REVENUE: MetricUnit.NoUnit}


@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Apply a batch; report the records Lambda must send again."""
    projection = projector().project(stream_records(event))
    measure(projection)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in projection.failed]}


def measure(projection: Projection) -> None:
    """Write what a batch did: the books, the lag, and what recommendations brought about."""
    for outcome, metric in _METRICS.items():
        count(metric, projection.outcomes[outcome])
    if projection.newest is not None:
        milliseconds(Metric.EVENT_LAG, max(0.0, (now() - projection.newest).total_seconds() * 1000))
    for series, value in projection.attributions.items():
        unit = _UNITS.get(series.metric, MetricUnit.Count)
        count_by(series.metric, _dimensions(series), value, unit=unit)


def _dimensions(series: Attribution) -> dict[Dimension, str]:
    dimensions = {Dimension.SURFACE: str(series.surface)}
    if series.experiment is not None and series.variant is not None:
        dimensions |= {Dimension.EXPERIMENT: series.experiment, Dimension.VARIANT: series.variant}
    return dimensions
