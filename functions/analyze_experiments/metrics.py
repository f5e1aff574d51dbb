"""What CloudWatch is told of results: the goal of each variant, and the split of users."""

from collections.abc import Iterator

from aws_lambda_powertools.metrics import MetricUnit

from personalization.experiment_results import Comparison, ExperimentResults, Role
from personalization.names import Dimension, Metric
from personalization.runtime.observability import count_by, write_by


def publish(results: ExperimentResults) -> None:
    """Write each variant's lift and its ends in percent, and both p-values, as far as they are known."""
    experiment = {Dimension.EXPERIMENT: results.experiment}
    for variant in results.variants:
        for goal in (one for one in variant.comparisons if one.role is Role.GOAL):
            known = list(_known(goal))
            if known:
                write_by({**experiment, Dimension.VARIANT: variant.name}, known)
    if results.sample_ratio is not None:
        p_value = results.sample_ratio.always_valid_p_value
        count_by(Metric.SAMPLE_RATIO_P_VALUE, experiment, p_value, unit=MetricUnit.NoUnit)


def _known(goal: Comparison) -> Iterator[tuple[Metric, MetricUnit, float]]:
    low, high = goal.always_valid or (None, None)
    shares = {
        Metric.EXPERIMENT_LIFT: goal.lift,
        Metric.EXPERIMENT_LIFT_LOW: low,
        Metric.EXPERIMENT_LIFT_HIGH: high,
    }
    for metric, share in shares.items():
        if share is not None:
            yield metric, MetricUnit.Percent, 100 * share
    if goal.always_valid_p_value is not None:
        yield Metric.EXPERIMENT_P_VALUE, MetricUnit.NoUnit, goal.always_valid_p_value
