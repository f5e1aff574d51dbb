"""What each metric costs: who writes it, in which unit, under which dimensions.

CloudWatch bills a metric for each combination of dimensions that got a value within the hour, so a dimension
is worth its price only where somebody looks at it. `names.Metric` says what each metric means, and
docs/metrics.md is made of both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personalization.names import Dimension, Metric, Source

DOLLARS_A_SERIES: Final = 0.30
"""A month, of an account's first 10,000 in us-east-1 (https://aws.amazon.com/cloudwatch/pricing/)."""

Dimensions = tuple[Dimension, ...]

NONE: Final[Dimensions] = ()
BY_SOURCE: Final = (Dimension.SOURCE,)
BY_SURFACE: Final = (Dimension.SURFACE,)
BY_EXPERIMENT: Final = (Dimension.EXPERIMENT,)
BY_VARIANT: Final = (Dimension.EXPERIMENT, Dimension.VARIANT)
BY_SURFACE_AND_VARIANT: Final = (Dimension.SURFACE, Dimension.EXPERIMENT, Dimension.VARIANT)


class Unit(StrEnum):
    """CloudWatch's units, those that are used."""

    COUNT = "Count"
    SECONDS = "Seconds"
    MILLISECONDS = "Milliseconds"
    PERCENT = "Percent"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Written:
    """How a metric is written; each writer adds its own name as the dimension `service`."""

    metric: Metric
    writers: tuple[str, ...]
    unit: Unit = Unit.COUNT
    dimensions: tuple[Dimensions, ...] = (NONE,)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much runs at once: the surfaces that metrics tell apart, and the variants of each experiment."""

    surfaces: int
    variants: Sequence[int]

    def values(self, dimensions: Dimensions) -> int:
        """Count the combinations of values; an experiment belongs to one surface."""
        counts = {
            NONE: 1,
            BY_SOURCE: len(Source),
            BY_SURFACE: self.surfaces,
            BY_EXPERIMENT: len(self.variants),
            BY_VARIANT: sum(self.variants),
            BY_SURFACE_AND_VARIANT: sum(self.variants),
        }
        return counts[dimensions]


def _written(
    writers: str,
    *metrics: Metric,
    unit: Unit = Unit.COUNT,
    dimensions: tuple[Dimensions, ...] = (NONE,),
) -> Iterator[Written]:
    for metric in metrics:
        yield Written(metric, tuple(writers.split()), unit, dimensions)


_OUTCOMES: Final = (BY_SURFACE, BY_SURFACE_AND_VARIANT)

CATALOGUE: Final = (
    *_written("ingest_events put_items put_consent", Metric.EVENTS_ACCEPTED),
    *_written("ingest_events put_items", Metric.EVENTS_REJECTED),
    *_written("authorize", Metric.TOKENS_REFUSED),
    *_written("update_profiles", Metric.EVENTS_APPLIED, Metric.EVENTS_DUPLICATE, Metric.EVENTS_QUARANTINED),
    *_written("ingest_events update_profiles", Metric.EVENTS_FILTERED),
    *_written("update_profiles", Metric.EVENT_LAG, unit=Unit.MILLISECONDS),
    *_written("archive_events", Metric.EVENTS_ARCHIVED),
    *_written("update_profiles", Metric.IMPRESSIONS, Metric.CLICKS, Metric.CONVERSIONS, dimensions=_OUTCOMES),
    *_written("update_profiles", Metric.REVENUE, unit=Unit.NONE, dimensions=_OUTCOMES),
    *_written("update_profiles", Metric.DWELL, unit=Unit.SECONDS, dimensions=_OUTCOMES),
    *_written(
        "analyze_experiments",
        Metric.EXPERIMENT_LIFT,
        Metric.EXPERIMENT_LIFT_LOW,
        Metric.EXPERIMENT_LIFT_HIGH,
        unit=Unit.PERCENT,
        dimensions=(BY_VARIANT,),
    ),
    *_written("analyze_experiments", Metric.EXPERIMENT_P_VALUE, unit=Unit.NONE, dimensions=(BY_VARIANT,)),
    *_written(
        "analyze_experiments", Metric.SAMPLE_RATIO_P_VALUE, unit=Unit.NONE, dimensions=(BY_EXPERIMENT,)
    ),
    *_written("get_recommendations refresh_recommendations", Metric.EXPERIMENTS_UNREAD),
    *_written("get_recommendations", Metric.RECOMMENDATIONS_SERVED, dimensions=(BY_SOURCE,)),
    *_written("get_recommendations get_trending", Metric.ANSWERS_DEGRADED),
    *_written("archive_exposures", Metric.EXPOSURES_ARCHIVED, Metric.EXPOSURES_QUARANTINED),
    *_written("refresh_recommendations", Metric.LISTS_REFRESHED),
    *_written("refresh_recommendations", Metric.REFRESH_LAG, unit=Unit.MILLISECONDS),
    *_written("refresh_recommendations", Metric.MODEL_AGE, unit=Unit.SECONDS),
    *_written("erase_users", Metric.USERS_ERASED),
    *_written("erase_users", Metric.ERASURE_TIME, unit=Unit.SECONDS),
    *_written(
        "run_training_step",
        Metric.LISTS_PUBLISHED,
        Metric.MODELS_REFUSED,
        Metric.NIGHTS_STOPPED,
    ),
    *_written("run_training_step", Metric.MODEL_NDCG, Metric.CATALOG_COVERAGE, unit=Unit.NONE),
    *_written("roll_back_model", Metric.MODELS_ROLLED_BACK),
)


def series(written: Written, extent: Extent) -> int:
    """Count the series of a metric: what CloudWatch bills as so many custom metrics."""
    return len(written.writers) * sum(map(extent.values, written.dimensions))


def total_series(extent: Extent) -> int:
    """Count the series of all metrics together.

    >>> total_series(Extent(surfaces=3, variants=(2, 2)))
    89
    """
    return sum(series(written, extent) for written in CATALOGUE)


def dollars_a_month(extent: Extent) -> float:
    """Price the series, if each gets a value in every hour of the month: the most they can cost."""
    return total_series(extent) * DOLLARS_A_SERIES
