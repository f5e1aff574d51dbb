"""Attune's own metrics, with the dimensions under which the functions write them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import jsii
from aws_cdk import Duration, IResolveContext, IStringProducer, Lazy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from infrastructure.definitions import read_definitions
from infrastructure.fields import Environment
from personalization.names import Dimension, Metric, Source, Surface


@jsii.implements(IStringProducer)
class _OwnNamespace:
    def __init__(self, part: str) -> None:
        self._part = part

    def produce(self, context: IResolveContext) -> str:
        environment: Environment = Stack.of(context.scope).settings  # type: ignore[attr-defined]
        return environment.metrics_namespace + self._part


@cache
def own_namespace(part: str = "") -> str:
    """Return where the deployment keeps its metrics; the stack that a metric ends up in knows it."""
    return Lazy.uncached_string(_OwnNamespace(part))


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


def on_surface(metric: Metric, surface: Surface, period: Duration) -> cloudwatch.Metric:
    """Return the sum of `metric`, of what `update_profiles` counts, on a surface, in an experiment or not."""
    return _sum(metric, "update_profiles", period, {Dimension.SURFACE: surface})


def experimented_surfaces() -> set[str]:
    """Return the surfaces that have an experiment."""
    return {series.surface for series in defined_variants()}


def by_experiment() -> dict[str, list[VariantSeries]]:
    """Return the variants of each experiment, the control first."""
    experiments: dict[str, list[VariantSeries]] = {}
    for series in defined_variants():
        experiments.setdefault(series.experiment, []).append(series)
    return experiments


def counted(metric: Metric, *, service: str, period: Duration) -> cloudwatch.Metric:
    """Return the sum of what the function `service` counts."""
    return _sum(metric, service, period, {})


def served(source: Source, *, period: Duration) -> cloudwatch.Metric:
    """Return how many answers came from `source`."""
    dimensions = {Dimension.SOURCE: str(source)}
    return _sum(Metric.RECOMMENDATIONS_SERVED, "get_recommendations", period, dimensions)


def measured(metric: Metric, statistic: str, *, service: str, period: Duration) -> cloudwatch.Metric:
    """Return a statistic, as "p95", of what the function `service` measures."""
    return cloudwatch.Metric(
        namespace=own_namespace(),
        metric_name=metric,
        dimensions_map={Dimension.SERVICE: service},
        statistic=statistic,
        period=period,
        label=statistic,
    )


def analyzed(
    metric: Metric, statistic: str, *, experiment: str, variant: str | None = None, period: Duration
) -> cloudwatch.Metric:
    """Return what `analyze_experiments` last found of an experiment, or of one of its variants."""
    dimensions = {Dimension.EXPERIMENT: experiment}
    if variant is not None:
        dimensions[Dimension.VARIANT] = variant
    return _sum(metric, "analyze_experiments", period, dimensions).with_(statistic=statistic)


def _sum(
    metric: Metric, service: str, period: Duration, dimensions: Mapping[Dimension, str]
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=own_namespace(),
        metric_name=metric,
        # Powertools adds the service to whatever a function names itself.
        dimensions_map={
            **{str(name): value for name, value in dimensions.items()},
            Dimension.SERVICE: service,
        },
        statistic=cloudwatch.Stats.SUM,
        period=period,
    )
