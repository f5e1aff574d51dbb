"""What on-call watches: alarms to a topic, and a dashboard."""

from collections.abc import Mapping

from aws_cdk import CfnOutput
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs.alarms import Alarms
from infrastructure.constructs.metrics import defined_variants
from infrastructure.constructs.operations_dashboard import OperationsDashboard
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.ingestion import IngestionStack
from infrastructure.stacks.serving import ServingStack
from infrastructure.stacks.training import TrainingStack


class ObservabilityStack(AttuneStack):
    """Watches the other stacks and changes none of them."""

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
    ) -> None:
        super().__init__(scope, part, environment=environment)
        self._ingestion = ingestion
        self._serving = serving
        self._training = training
        self._dead_letters = _dead_letters(data, ingestion, training)
        self.topic = sns.Topic(self, "Alerts", enforce_ssl=True)
        self._define_alarms(Alarms(self, "Alarms", topic=self.topic))
        dashboard = OperationsDashboard(
            self,
            "Dashboard",
            api=serving.api,
            consumers=[ingestion.update_profiles, ingestion.archive_events],
            dead_letters=list(self._dead_letters.values()),
        )
        CfnOutput(self, "AlertTopicArn", value=self.topic.topic_arn)
        CfnOutput(self, "DashboardName", value=dashboard.dashboard_name)

    def _define_alarms(self, alarms: Alarms) -> None:
        outages = [
            alarms.server_errors(self._serving.api),
            alarms.stream_behind("UpdateProfiles", self._ingestion.update_profiles),
        ]
        alarms.stream_behind("ArchiveEvents", self._ingestion.archive_events)
        for name, queue in self._dead_letters.items():
            alarms.dead_letters(name, queue)
        alarms.training_failed(self._training.workflow)
        alarms.model_refused()
        capabilities = self.settings.capabilities
        click_rates = [
            alarms.click_rate(series, self.settings.click_rate_alarm, notify=not capabilities.composite_alarm)
            for series in defined_variants()
        ]
        if capabilities.composite_alarm:
            alarms.click_rate_alone(click_rates, outages)
        if capabilities.anomaly_detection:
            alarms.unusual_traffic()


def _dead_letters(
    data: DataStack, ingestion: IngestionStack, training: TrainingStack
) -> Mapping[str, sqs.IQueue]:
    return {
        "RefreshDeadLetters": data.refresh_queue.dead_letters,
        "ProfileBatchesFailed": ingestion.profile_consumer.failed_batches,
        "ArchiveBatchesFailed": ingestion.archive_consumer.failed_batches,
        "TrainingStartsMissed": training.missed_starts,
    }
