"""The alarms' common ground: whom they tell, and what an alarm that watches one figure looks like.

Which alarms there are is in `serving_alarms`, `pipeline_alarms`, `model_alarms` and `experiment_alarms`.
"""

from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infrastructure.constructs.runbooks import described

MINUTE: Final = Duration.minutes(1)
FIVE_MINUTES: Final = Duration.minutes(5)
HOUR: Final = Duration.hours(1)
DAY: Final = Duration.days(1)
ABOVE: Final = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW: Final = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
SUM: Final = cloudwatch.Stats.SUM
MAXIMUM: Final = cloudwatch.Stats.MAXIMUM
_BELOW_BAND: Final = cloudwatch.ComparisonOperator.LESS_THAN_LOWER_THRESHOLD
_OUT_OF_BAND: Final = cloudwatch.ComparisonOperator.LESS_THAN_LOWER_OR_GREATER_THAN_UPPER_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When an alarm rings.

    Attributes
    ----------
    breaching
        How many of the last `periods` must breach the threshold.
    """

    comparison: cloudwatch.ComparisonOperator
    threshold: float
    periods: int = 1
    breaching: int = 1
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


class Alarms(Construct):
    """Alarms that tell `topic`, or `pages`, when they begin and when they end.

    Attributes
    ----------
    all
        Those defined so far.
    """

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic, pages: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._topic = topic
        self._pages = pages
        self.all: list[cloudwatch.IAlarm] = []

    def watch(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        rule: Rule,
        feel: str,
        page: str,
        *,
        notify: bool = True,
    ) -> cloudwatch.Alarm:
        """Define an alarm.

        Parameters
        ----------
        feel
            What users feel, in one sentence.
        page
            Its page in `docs/runbooks/`.
        notify
            Off for one that is part of a composite alarm, which tells of it.
        """
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            comparison_operator=rule.comparison,
            threshold=rule.threshold,
            evaluation_periods=rule.periods,
            datapoints_to_alarm=rule.breaching,
            treat_missing_data=rule.missing,
            alarm_description=described(feel, page),
        )
        self.all.append(alarm)
        if notify:
            _tell(alarm, self._topic)
        return alarm

    def watch_band(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        feel: str,
        page: str,
        *,
        deviations: float,
        below_only: bool,
    ) -> cloudwatch.AnomalyDetectionAlarm:
        """Define an alarm on a metric that leaves the band learned from earlier weeks, four times of six."""
        alarm = cloudwatch.AnomalyDetectionAlarm(
            self,
            name,
            metric=metric,
            std_devs=deviations,
            evaluation_periods=6,
            datapoints_to_alarm=4,
            comparison_operator=_BELOW_BAND if below_only else _OUT_OF_BAND,
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
            alarm_description=described(feel, page),
        )
        self.all.append(alarm)
        _tell(alarm, self._topic)
        return alarm

    def page(self, name: str, rule: cloudwatch.IAlarmRule, feel: str, page: str) -> cloudwatch.CompositeAlarm:
        """Define an alarm on alarms that wakes somebody, once, whatever else the cause sets off."""
        alarm = cloudwatch.CompositeAlarm(
            self,
            name,
            # CloudFormation makes up no name for these; left out, CDK makes up one that no prefix finds.
            composite_alarm_name=f"{Stack.of(self).stack_name}-{name}",
            alarm_rule=rule,
            alarm_description=described(feel, page),
        )
        self.all.append(alarm)
        _tell(alarm, self._pages)
        return alarm


def _tell(alarm: cloudwatch.AlarmBase, topic: sns.ITopic) -> None:
    alarm.add_alarm_action(actions.SnsAction(topic))
    alarm.add_ok_action(actions.SnsAction(topic))


def summed(
    metrics: dict[str, cloudwatch.IMetric], label: str, period: Duration = MINUTE
) -> cloudwatch.MathExpression:
    """Return the sum of metrics by id, one without data counting as 0; CloudWatch takes ten an alarm."""
    total = " + ".join(f"FILL({name}, 0)" for name in metrics)
    return cloudwatch.MathExpression(expression=total, using_metrics=metrics, label=label, period=period)
