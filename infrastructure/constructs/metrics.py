"""Attune's own metrics, with the dimensions under which the functions write them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infrastructure.definitions import read_definitions
from personalization.names import NAMESPACE, Dimension, Metric, Source


@dataclass(frozen=True, kw_only=True)
class VariantSeries:
    """One variant of an experiment on a surface, which impressions and clicks are counted by."""

    surface: str
    experiment: str
    variant: str

    def metric(self, metric: Metric, period: Duration) -> cloudwatch.Metric:
        """Return the sum of `metric`, of what `update_profiles` counts by variant."""
        dimensions = {
            Dimension.SURFACE: self.surface,
            Dimension.EXPERIMENT: self.experiment,
            Dimension.VARIANT: self.variant,
        }
        return _sum(metric, "update_profiles", period, dimensions)


def defined_variants() -> Iterator[VariantSeries]:
    """Yield the variants of the experiments that are defined, in the order of their file."""
    for experiment in read_definitions().experiments:
        for variant in experiment.variants:
            yield VariantSeries(surface=experiment.surface, experiment=experiment.name, variant=variant.name)


def counted(metric: Metric, *, service: str, period: Duration) -> cloudwatch.Metric:
    """Return the sum of what the function `service` counts."""
    return _sum(metric, service, period, {})


def served(source: Source, *, period: Duration) -> cloudwatch.Metric:
    """Return how many answers came from `source`."""
    dimensions = {Dimension.SOURCE: str(source)}
    return _sum(Metric.RECOMMENDATIONS_SERVED, "get_recommendations", period, dimensions)


def event_lag(statistic: str, *, period: Duration) -> cloudwatch.Metric:
    """Return a statistic of the milliseconds from acceptance to the profile, as "p95"."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=Metric.EVENT_LAG,
        dimensions_map={Dimension.SERVICE: "update_profiles"},
        statistic=statistic,
        period=period,
        label=f"event lag {statistic}",
    )


def _sum(
    metric: Metric, service: str, period: Duration, dimensions: Mapping[Dimension, str]
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        # Powertools adds the service to whatever a function names itself.
        dimensions_map={
            **{str(name): value for name, value in dimensions.items()},
            Dimension.SERVICE: service,
        },
        statistic=cloudwatch.Stats.SUM,
        period=period,
    )
