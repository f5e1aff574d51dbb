"""What CloudWatch is told of results: the goal of each variant, and the split of users."""

from aws_lambda_powertools.metrics import MetricUnit

from personalization.experiment_results import ExperimentResults, Role, VariantResults
from personalization.names import Dimension, Metric
from personalization.runtime.observability import count_by


def publish(results: ExperimentResults) -> None:
    """Write each variant's lift and its ends in percent, and both p-values, as far as they are known."""
    for variant in results.variants:
        _publish_goal(results.experiment, variant)
    if results.sample_ratio is not None:
        named = {Dimension.EXPERIMENT: results.experiment}
        p_value = results.sample_ratio.always_valid_p_value
        count_by(Metric.SAMPLE_RATIO_P_VALUE, named, p_value, unit=MetricUnit.NoUnit)


def _publish_goal(experiment: str, variant: VariantResults) -> None:
    named = {Dimension.EXPERIMENT: experiment, Dimension.VARIANT: variant.name}
    for goal in (one for one in variant.comparisons if one.role is Role.GOAL):
        low, high = goal.always_valid or (None, None)
        shares = {
            Metric.EXPERIMENT_LIFT: goal.lift,
            Metric.EXPERIMENT_LIFT_LOW: low,
            Metric.EXPERIMENT_LIFT_HIGH: high,
        }
        for metric, share in shares.items():
            if share is not None:
                count_by(metric, named, 100 * share, unit=MetricUnit.Percent)
        if goal.always_valid_p_value is not None:
            p_value = goal.always_valid_p_value
            count_by(Metric.EXPERIMENT_P_VALUE, named, p_value, unit=MetricUnit.NoUnit)
