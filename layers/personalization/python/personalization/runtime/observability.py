"""One logger and one metrics buffer a process; service and namespace come from POWERTOOLS_* variables."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from personalization.names import Dimension, Metric
from personalization.runtime.discretion import DiscreetFormatter, discreet, hush_libraries

# A request that is refused whole has nothing to count, and no need to say so in the log.
warnings.filterwarnings("ignore", "No application metrics to publish")

hush_libraries()

logger = Logger(logger_formatter=DiscreetFormatter())
metrics = Metrics()


def worker[Answer](handler: Callable[[Mapping[str, Any], Any], Answer]) -> Callable[..., Answer]:
    """Write the metrics of each invocation, and raise faults without what they quote: Lambda logs them."""

    @metrics.log_metrics
    @wraps(handler)
    def invoke(event: Mapping[str, Any], context: Any) -> Answer:
        try:
            return handler(event, context)
        except Exception as error:
            logger.exception("the invocation failed")
            raise discreet(error) from None

    return invoke


def count(metric: Metric, value: float = 1) -> None:
    """Add to a count of this function; written when the invocation ends."""
    metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value)


def count_by(
    metric: Metric,
    dimensions: Mapping[Dimension, str],
    value: float = 1,
    *,
    unit: MetricUnit = MetricUnit.Count,
) -> None:
    """Add to a total under its own dimensions and the service: each combination is a priced series."""
    (first, first_value), *rest = dimensions.items()
    with single_metric(name=metric, unit=unit, value=value) as series:
        series.add_dimension(first, first_value)
        for name, dimension_value in rest:
            series.add_dimension(name, dimension_value)


def count_degraded(word: str) -> None:
    """Log and count that an answer had to do without what was asked for."""
    logger.warning("answer degraded", degraded=word)
    with single_metric(name=Metric.ANSWERS_DEGRADED, unit=MetricUnit.Count, value=1):
        pass


def count_unread(reason: str) -> None:
    """Log and count, from any thread, that no definitions of experiments came."""
    logger.warning("experiments unread", reason=reason)
    with single_metric(name=Metric.EXPERIMENTS_UNREAD, unit=MetricUnit.Count, value=1):
        pass


def milliseconds(metric: Metric, value: float) -> None:
    """Add a duration of this function."""
    metrics.add_metric(name=metric, unit=MetricUnit.Milliseconds, value=value)


def seconds(metric: Metric, value: float) -> None:
    """Add an age of something that this function looked at."""
    metrics.add_metric(name=metric, unit=MetricUnit.Seconds, value=value)


def number(metric: Metric, value: float) -> None:
    """Add a value of this function that has no unit."""
    metrics.add_metric(name=metric, unit=MetricUnit.NoUnit, value=value)


def write_by(dimensions: Mapping[Dimension, str], values: Iterable[tuple[Metric, MetricUnit, float]]) -> None:
    """Write values that share their dimensions as one line of the log, which is paid for by its length."""
    line = EphemeralMetrics()
    for name, dimension_value in dimensions.items():
        line.add_dimension(name, dimension_value)
    for metric, unit, value in values:
        line.add_metric(name=metric, unit=unit, value=value)
    line.flush_metrics()
