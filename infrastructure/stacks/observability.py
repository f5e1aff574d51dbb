"""What on-call watches: alarms to two topics, and two dashboards."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs import experiment_alarms, model_alarms, pipeline_alarms, serving_alarms
from infrastructure.constructs.alarms import Alarms
from infrastructure.constructs.automatic_rollback import AutomaticRollback
from infrastructure.constructs.budget import watch_bill
from infrastructure.constructs.cost_graphs import Usage
from infrastructure.constructs.experiments_dashboard import ExperimentsDashboard
from infrastructure.constructs.experiments_rollout import ExperimentsRollout
from infrastructure.constructs.grants import EXPERIMENTS, grant_items
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.metrics import by_experiment, defined_variants, experimented_surfaces
from infrastructure.constructs.operations_dashboard import OperationsDashboard
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.experiments import ExperimentsStack
from infrastructure.stacks.ingestion import IngestionStack
from infrastructure.stacks.serving import ServingStack
from infrastructure.stacks.training import TrainingStack
from personalization.names import Surface

_PROFILES_BEHIND: Final = Duration.minutes(1)
# Records wait for their batch to fill, in `prod` for two minutes, and are no later for that.
_ARCHIVE_BEHIND: Final = Duration.minutes(5)


class _DeadLetters(NamedTuple):
    queue: sqs.IQueue
    feel: str
    page: str
    kind: str
    """How they go back, as `training.dead_letters.Kind` names it."""
    target: str


class ObservabilityStack(AttuneStack):
    """Watches the other stacks; where the environment says so, an alarm puts the model before in service.

    Attributes
    ----------
    bake_alarms
        What must stay quiet while a change of experiments or settings is watched after its deployment.
    """

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
        self._layers = Layers(self, "Layers", environment=environment)
        self._dead_letters = _dead_letters(data, ingestion, serving, training)
        behind = [
            ingestion.update_profiles,
            ingestion.archive_events,
            serving.exposure_archive.function,
            serving.refresh_recommendations,
        ]
        self._workers = [
            *behind,
            training.experiment_analysis.function,
        ]
        before = [
            ingestion.ingest_events,
            ingestion.put_items,
            ingestion.put_consent,
            serving.get_recommendations,
            serving.get_trending,
        ]
        self._request_functions = [*before, serving.issue_guest_token]
        # An alarm takes ten metrics: those of functions that traffic multiplies.
        self._multiplied = [*behind, *before]
        self.topic = self._topic("Alerts")
        self.pages = self._topic("Pages")
        self._alarms = Alarms(self, "Alarms", topic=self.topic, pages=self.pages)
        self.bake_alarms: list[cloudwatch.IAlarm] = [experiment_alarms.experiments_unread(self._alarms)]
        self._watch()
        ExperimentsRollout(
            self,
            "Rollout",
            environment=environment,
            application=experiments.application,
            profile=experiments.profile.ref,
            alarms=self.bake_alarms,
        )
        if environment.capabilities.budgets:
            watch_bill(
                self,
                self.topic,
                account=self.account,
                monthly_dollars=environment.limits.monthly_dollars,
            )
        self._dashboards()
        CfnOutput(self, "AlertTopicArn", value=self.topic.topic_arn)
        CfnOutput(self, "PageTopicArn", value=self.pages.topic_arn)

    def _topic(self, name: str) -> sns.Topic:
        topic = sns.Topic(self, name, enforce_ssl=True)
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

    def _watch(self) -> None:
        outage = self._alarms.page(
            "Outage",
            cloudwatch.AlarmRule.any_of(*self._outages()),
            "Users get errors, wait, are turned away, or see what they do change nothing.",
            "outage",
        )
        self._watch_clicks(outage)
        self._watch_pipeline()
        self._watch_models()
        if self.settings.capabilities.anomaly_detection:
            pipeline_alarms.unusual_traffic(self._alarms)

    def _outages(self) -> list[cloudwatch.IAlarm]:
        """Define what users feel at once; one alarm pages for all of it."""
        alarms, api = self._alarms, self._serving.api
        errors = serving_alarms.server_errors(alarms, api)
        self.bake_alarms += [errors, serving_alarms.fallback_share(alarms, self.settings.limits)]
        return [
            errors,
            serving_alarms.slow_answers(alarms, api, self.settings.limits),
            serving_alarms.requests_throttled(alarms, api),
            serving_alarms.answers_degraded(alarms, api),
            pipeline_alarms.stream_behind(
                alarms,
                self._ingestion.update_profiles,
                _PROFILES_BEHIND,
                "What users do changes nothing yet",
                notify=False,
            ),
            pipeline_alarms.stream_full(alarms, self._data.stream),
            pipeline_alarms.table_throttled(alarms, self._data.table),
        ]

    def _watch_clicks(self, outage: cloudwatch.IAlarm) -> None:
        alarms, limits = self._alarms, self.settings.click_rate_alarm
        variants = [
            experiment_alarms.variant_click_rate(alarms, series, limits) for series in defined_variants()
        ]
        surfaces = {
            surface: experiment_alarms.surface_click_rate(alarms, surface, limits) for surface in Surface
        }
        self.bake_alarms += [surfaces[surface] for surface in Surface if surface in experimented_surfaces()]
        alone = self._alarms.page(
            "ClickRateAlone",
            cloudwatch.AlarmRule.all_of(
                cloudwatch.AlarmRule.any_of(*variants, *surfaces.values()),
                cloudwatch.AlarmRule.not_(outage),
            ),
            "Users find nothing they like, though all runs: suspect the model, or how clicks are tracked.",
            "click-rate",
        )
        if self.settings.capabilities.anomaly_detection:
            for surface in Surface:
                experiment_alarms.surface_click_rate_unusual(alarms, surface, limits)
        for experiment in by_experiment():
            experiment_alarms.sample_ratio(alarms, experiment)
        if self.settings.training.rollback_hours is not None:
            self._roll_back_on(alone, self.settings.training.rollback_hours)

    def _watch_pipeline(self) -> None:
        alarms = self._alarms
        pipeline_alarms.stream_behind(
            alarms,
            self._ingestion.archive_events,
            _ARCHIVE_BEHIND,
            "Users feel nothing yet, but tonight's training may miss events",
            notify=True,
        )
        pipeline_alarms.functions_failing(alarms, self._workers)
        pipeline_alarms.functions_throttled(alarms, self._multiplied)
        pipeline_alarms.events_quarantined(alarms)
        for name, found in self._dead_letters.items():
            self._watch_dead_letters(name, found)

    def _watch_dead_letters(self, name: str, found: _DeadLetters) -> None:
        pipeline_alarms.dead_letters(self._alarms, name, found.queue, found.feel, found.page)
        edge = {"kind": found.kind, "dead_letters": found.queue.queue_url, "target": found.target}
        CfnOutput(self, f"Redrive{name}", value=self.to_json_string(edge))

    def _watch_models(self) -> None:
        model_alarms.training_failed(self._alarms, self._training.workflow)
        model_alarms.night_stopped(self._alarms)
        model_alarms.model_refused(self._alarms)
        if self.settings.training.nightly:
            model_alarms.model_stale(self._alarms)

    def _roll_back_on(self, alarm: cloudwatch.IAlarm, hours: int) -> None:
        rollback = AutomaticRollback(
            self,
            "AutomaticRollback",
            hours=hours,
            alarms=[alarm],
            table=self._data.table,
            layers=self._layers,
            environment=self.settings,
        )
        model_alarms.model_rolled_back(self._alarms)
        feel = "Users keep seeing a model that they click less on: it could not be rolled back."
        failed = _DeadLetters(rollback.failed, feel, "rollback-failed", "by hand", "")
        self._watch_dead_letters("RollbackFailed", failed)

    def _dashboards(self) -> None:
        operations = OperationsDashboard(
            self,
            "Dashboard",
            alarms=self._alarms.all,
            api=self._serving.api,
            consumers=[self._ingestion.update_profiles, self._ingestion.archive_events],
            dead_letters=[found.queue for found in self._dead_letters.values()],
            usage=Usage(
                api=self._serving.api.api,
                functions=[*self._workers, *self._request_functions, self._training.run_training_step],
                table=self._data.table,
                stream=self._data.stream,
                environment=self.settings,
            ),
        )
        experiments = ExperimentsDashboard(self, "Experiments", results=self._show_experiments())
        CfnOutput(self, "DashboardName", value=operations.dashboard_name)
        CfnOutput(self, "ExperimentsDashboardName", value=experiments.dashboard_name)

    def _show_experiments(self) -> PythonFunction:
        """Readers of the dashboard call it with their own rights: they need `lambda:InvokeFunction` on it."""
        function = PythonFunction(
            self,
            "ShowExperiments",
            name="show_experiments",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base],
            variables={"TABLE_NAME": self._data.table.table_name},
            memory_mb=512,
            timeout=Duration.seconds(10),
        )
        grant_items(self._data.table, function, "BatchGetItem", keys=[EXPERIMENTS])
        return function


def _dead_letters(
    data: DataStack, ingestion: IngestionStack, serving: ServingStack, training: TrainingStack
) -> Mapping[str, _DeadLetters]:
    return {
        "RefreshDeadLetters": _DeadLetters(
            data.refresh_queue.dead_letters,
            "Some users keep an older list: it could not be rebuilt.",
            "refresh-dead-letters",
            "messages",
            data.refresh_queue.queue_url,
        ),
        "ErasureDeadLetters": _DeadLetters(
            data.erasure_queue.dead_letters,
            "Somebody who asked to be forgotten is not yet, or waits for what is held about them.",
            "erasures-failed",
            "messages",
            data.erasure_queue.queue_url,
        ),
        "ErasureRoundsFailed": _DeadLetters(
            serving.privacy.failed,
            "Users feel nothing, but what late writers brought back of the forgotten still rests somewhere.",
            "erasures-failed",
            "calls",
            serving.privacy.erase_users.live.function_arn,
        ),
        "ProfileBatchesFailed": _DeadLetters(
            ingestion.profile_consumer.failed_batches,
            "What some users did is missing from their profiles: a batch of the stream was given up.",
            "batches-failed",
            "profiles",
            "",
        ),
        "ArchiveBatchesFailed": _DeadLetters(
            ingestion.archive_consumer.failed_batches,
            "Users feel nothing yet, but events are missing from the lake: a batch was given up.",
            "batches-failed",
            "records",
            ingestion.archive_events.live.function_arn,
        ),
        "ExposureDeliveriesFailed": _DeadLetters(
            serving.exposure_archive.failed,
            "Users feel nothing, but experiments miss some of who saw what: a delivery was given up.",
            "batches-failed",
            "calls",
            serving.exposure_archive.function.live.function_arn,
        ),
        "AnalysesFailed": _DeadLetters(
            training.experiment_analysis.failed,
            "Users feel nothing, but results of experiments are as of an earlier hour: an analysis failed.",
            "analyses-failed",
            "calls",
            training.experiment_analysis.function.live.function_arn,
        ),
        "TrainingStartsMissed": _DeadLetters(
            training.missed_starts,
            "Recommendations stay as of the model before: tonight's training did not start.",
            "training-starts-missed",
            "run",
            training.workflow.state_machine_arn,
        ),
    }
