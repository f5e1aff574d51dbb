"""What on-call watches: alarms to a topic, and a dashboard."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs.alarms import Alarms
from infrastructure.constructs.automatic_rollback import AutomaticRollback
from infrastructure.constructs.experiments_rollout import ExperimentsRollout
from infrastructure.constructs.metrics import defined_variants
from infrastructure.constructs.operations_dashboard import OperationsDashboard
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.experiments import ExperimentsStack
from infrastructure.stacks.ingestion import IngestionStack
from infrastructure.stacks.serving import ServingStack
from infrastructure.stacks.training import TrainingStack

_PROFILES_BEHIND: Final = Duration.minutes(1)
# Records wait for their batch to fill, in `prod` for two minutes, and are no later for that.
_ARCHIVE_BEHIND: Final = Duration.minutes(5)


class ObservabilityStack(AttuneStack):
    """Watches the other stacks; where the environment says so, an alarm puts the model before in service."""

    def __init__(
        self,
        scope: Construct,
        part: str,
        *,
        environment: Environment,
        data: DataStack,
        ingestion: IngestionStack,
        serving: ServingStack,
        training: TrainingStack,
        experiments: ExperimentsStack,
    ) -> None:
        super().__init__(scope, part, environment=environment)
        self._data = data
        self._ingestion = ingestion
        self._serving = serving
        self._training = training
        self._dead_letters = _dead_letters(data, ingestion, serving, training)
        self.topic = self._topic()
        self._define_alarms(Alarms(self, "Alarms", topic=self.topic))
        dashboard = OperationsDashboard(
            self,
            "Dashboard",
            api=serving.api,
            consumers=[ingestion.update_profiles, ingestion.archive_events],
            dead_letters=list(self._dead_letters.values()),
        )
        ExperimentsRollout(
            self,
            "Rollout",
            environment=environment,
            application=experiments.application,
            profile=experiments.profile.ref,
            alarms=self.bake_alarms,
            topic=self.topic,
        )
        CfnOutput(self, "AlertTopicArn", value=self.topic.topic_arn)
        CfnOutput(self, "DashboardName", value=dashboard.dashboard_name)

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Alerts", enforce_ssl=True)
        # A policy of one's own, here the one that demands TLS, replaces the topic's default, under
        # which alarms may publish: https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowAlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return topic

    def _define_alarms(self, alarms: Alarms) -> None:
        outages = [
            alarms.server_errors(self._serving.api),
            alarms.stream_behind("UpdateProfiles", self._ingestion.update_profiles, _PROFILES_BEHIND),
        ]
        alarms.stream_behind("ArchiveEvents", self._ingestion.archive_events, _ARCHIVE_BEHIND)
        for name, queue in self._dead_letters.items():
            alarms.dead_letters(name, queue)
        alarms.training_failed(self._training.workflow)
        alarms.night_stopped()
        alarms.model_refused()
        if self.settings.training.nightly:
            alarms.model_stale()
        capabilities = self.settings.capabilities
        click_rates = [
            alarms.click_rate(series, self.settings.click_rate_alarm, notify=not capabilities.composite_alarm)
            for series in defined_variants()
        ]
        suspects: list[cloudwatch.IAlarm] = [*click_rates]
        self.bake_alarms: list[cloudwatch.IAlarm] = [outages[0], *click_rates]
        """What undoes a deployment of experiments."""
        if capabilities.composite_alarm:
            suspects = [alarms.click_rate_alone(click_rates, outages)]
        if self.settings.training.rollback_hours is not None:
            self._roll_back_on(suspects, alarms, self.settings.training.rollback_hours)
        if capabilities.anomaly_detection:
            alarms.unusual_traffic()

    def _roll_back_on(self, suspects: list[cloudwatch.IAlarm], alarms: Alarms, hours: int) -> None:
        rollback = AutomaticRollback(
            self,
            "AutomaticRollback",
            hours=hours,
            alarms=suspects,
            table=self._data.table,
            environment=self.settings,
        )
        alarms.model_rolled_back()
        alarms.dead_letters("RollbackFailed", rollback.failed)


def _dead_letters(
    data: DataStack, ingestion: IngestionStack, serving: ServingStack, training: TrainingStack
) -> Mapping[str, sqs.IQueue]:
    return {
        "RefreshDeadLetters": data.refresh_queue.dead_letters,
        "ProfileBatchesFailed": ingestion.profile_consumer.failed_batches,
        "ArchiveBatchesFailed": ingestion.archive_consumer.failed_batches,
        "ExposureDeliveriesFailed": serving.exposure_archive.failed,
        "TrainingStartsMissed": training.missed_starts,
        "AnalysesFailed": training.experiment_analysis.failed,
    }
