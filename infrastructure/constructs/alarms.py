"""The alarms, and whom they tell."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.constructs.metrics import VariantSeries, counted
from infrastructure.constructs.web_api import WebApi
from infrastructure.fields import ClickRateAlarm
from personalization.names import Metric

_MINUTE: Final = Duration.minutes(1)
_FIVE_MINUTES: Final = Duration.minutes(5)
_HOUR: Final = Duration.hours(1)
_DAY: Final = Duration.days(1)
_ABOVE: Final = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
_BELOW: Final = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


class Alarms(Construct):
    """Alarms that tell `topic` when they begin and when they end."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)

    def server_errors(self, api: WebApi) -> cloudwatch.Alarm:
        """Watch the share of requests answered 5xx; a handful of requests is no share."""
        share = cloudwatch.MathExpression(
            expression="IF(requests >= 20, 100 * FILL(errors, 0) / requests)",
            using_metrics={
                "errors": api.api.metric_server_error(period=_MINUTE, statistic=cloudwatch.Stats.SUM),
                "requests": api.api.metric_count(period=_MINUTE, statistic=cloudwatch.Stats.SUM),
            },
            period=_MINUTE,
            label="5xx, %",
        )
        description = "More than 1% of requests fail: look at the dashboard for the route, then its logs."
        return self._alarm("ServerErrors", share, _ABOVE, 1, description, periods=5, breaching=3)

    def stream_behind(self, name: str, function: lambda_.IFunction, limit: Duration) -> cloudwatch.Alarm:
        """Watch the age of the oldest record that a consumer of the stream hasn't read."""
        age = function.metric("IteratorAge", statistic=cloudwatch.Stats.MAXIMUM, period=_MINUTE)
        behind = limit.to_human_string()
        description = f"{name} is {behind} behind: it fails, or the stream brings more than it can take."
        milliseconds = limit.to_milliseconds()
        return self._alarm(f"{name}Behind", age, _ABOVE, milliseconds, description, periods=5, breaching=3)

    def dead_letters(self, name: str, queue: sqs.IQueue) -> cloudwatch.Alarm:
        """Watch a queue that should be empty."""
        depth = queue.metric_approximate_number_of_messages_visible(
            period=_MINUTE, statistic=cloudwatch.Stats.MAXIMUM
        )
        description = f"{name}: something failed for good; its message says what. Mend it, then redrive."
        return self._alarm(name, depth, _ABOVE, 0, description)

    def training_failed(self, workflow: sfn.IStateMachine) -> None:
        """Watch for trainings that don't end well; the model in service stays."""
        endings = {
            "TrainingFailed": workflow.metric_failed(period=_FIVE_MINUTES),
            "TrainingTimedOut": workflow.metric_timed_out(period=_FIVE_MINUTES),
        }
        description = "A training ended badly: the model in service stays. See the execution's last step."
        for name, metric in endings.items():
            self._alarm(name, metric, _ABOVE, 0, description)

    def model_refused(self) -> None:
        """Watch for models that the gate does not let through."""
        refused = counted(Metric.MODELS_REFUSED, service="run_training_step", period=_FIVE_MINUTES)
        description = "The gate refused a model: the one in service stays. See the verdict of the run."
        self._alarm("ModelRefused", refused, _ABOVE, 0, description)

    def model_rolled_back(self) -> None:
        """Watch for models that an alarm put back in service."""
        undone = counted(Metric.MODELS_ROLLED_BACK, service="roll_back_model", period=_FIVE_MINUTES)
        description = (
            "CTR fell soon after a publish, and the model before is in service again. See what is wrong with "
            "the one that was undone before training publishes the next."
        )
        self._alarm("ModelRolledBack", undone, _ABOVE, 0, description)

    def night_stopped(self) -> None:
        """Watch for nights whose data is not fit to train on."""
        stopped = counted(Metric.NIGHTS_STOPPED, service="run_training_step", period=_FIVE_MINUTES)
        description = (
            "The night's data did not stand its checks: the model in service stays. See the run's "
            "dataset/soundness.html; mend the source, or run again and accept the check by name."
        )
        self._alarm("NightStopped", stopped, _ABOVE, 0, description)

    def model_stale(self) -> None:
        """Watch for days on which nothing was published; rings from deployment to the first publish."""
        published = counted(Metric.LISTS_PUBLISHED, service="run_training_step", period=_DAY)
        description = (
            "No lists were published for two days: see whether the nightly training starts and ends."
        )
        missing = cloudwatch.TreatMissingData.BREACHING
        self._alarm("ModelStale", published, _BELOW, 1, description, periods=2, breaching=2, missing=missing)

    def click_rate(self, series: VariantSeries, limits: ClickRateAlarm, *, notify: bool) -> cloudwatch.Alarm:
        """Watch the hourly click-through rate of one variant, once enough was shown."""
        rate = cloudwatch.MathExpression(
            expression=f"IF(shown >= {limits.minimum_impressions}, 100 * FILL(clicked, 0) / shown)",
            using_metrics={
                "shown": series.metric(Metric.IMPRESSIONS, _HOUR),
                "clicked": series.metric(Metric.CLICKS, _HOUR),
            },
            period=_HOUR,
            label="CTR, %",
        )
        name = "".join(word.title() for word in f"{series.experiment}-{series.variant}".split("-"))
        description = (
            f"CTR of {series.variant} in {series.experiment} fell below {limits.floor_percent}%: see whether "
            "clicks still arrive, then roll the model back."
        )
        return self._alarm(f"ClickRate{name}", rate, _BELOW, limits.floor_percent, description, notify=notify)

    def click_rate_alone(
        self, click_rates: list[cloudwatch.Alarm], outages: list[cloudwatch.Alarm]
    ) -> cloudwatch.CompositeAlarm:
        """Tell of a low click-through rate only while no outage explains it."""
        rule = cloudwatch.AlarmRule.all_of(
            cloudwatch.AlarmRule.any_of(*click_rates),
            cloudwatch.AlarmRule.not_(cloudwatch.AlarmRule.any_of(*outages)),
        )
        alarm = cloudwatch.CompositeAlarm(
            self,
            "ClickRateAlone",
            alarm_rule=rule,
            alarm_description="CTR fell though all runs: suspect the model, or how clicks are tracked.",
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        return alarm

    def unusual_traffic(self) -> cloudwatch.AnomalyDetectionAlarm:
        """Watch accepted events leave the band that CloudWatch learns from earlier weeks."""
        alarm = cloudwatch.AnomalyDetectionAlarm(
            self,
            "UnusualTraffic",
            metric=counted(Metric.EVENTS_ACCEPTED, service="ingest_events", period=_FIVE_MINUTES),
            std_devs=4,
            evaluation_periods=6,
            datapoints_to_alarm=4,
            comparison_operator=(
                cloudwatch.ComparisonOperator.LESS_THAN_LOWER_OR_GREATER_THAN_UPPER_THRESHOLD
            ),
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
            alarm_description="Far more or fewer events than usual at this hour: ask the clients.",
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        return alarm

    def _alarm(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        description: str,
        *,
        periods: int = 1,
        breaching: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
        notify: bool = True,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=periods,
            datapoints_to_alarm=breaching,
            treat_missing_data=missing,
            alarm_description=description,
        )
        if notify:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        return alarm
