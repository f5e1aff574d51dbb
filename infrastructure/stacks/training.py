"""The slow loop and its nightly start; the analysis of experiments and its hourly one."""

from typing import Final

from aws_cdk import CfnOutput, Duration, Size
from aws_cdk import aws_scheduler as scheduler
from aws_cdk.aws_scheduler_targets import StepFunctionsStartExecution
from constructs import Construct

from infrastructure.constructs.code_version import code_version
from infrastructure.constructs.experiment_analysis import ExperimentAnalysis
from infrastructure.constructs.grants import (
    MODEL,
    SEGMENTS,
    USERS,
    grant_items,
    grant_listing,
    grant_objects,
)
from infrastructure.constructs.job_image import JobImage
from infrastructure.constructs.job_roles import JobRoles
from infrastructure.constructs.lambda_steps import LambdaSteps
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DeadLetterQueue
from infrastructure.constructs.sagemaker_steps import JobSurroundings, SageMakerSteps
from infrastructure.constructs.training_workflow import Steps, TrainingWorkflow
from infrastructure.fields import Environment, LambdaEngine, SageMakerEngine
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.experiments import ExperimentsStack

_BESIDE_SAGEMAKER: Final = LambdaEngine(memory_mb=1024, scratch_gb=1)
"""What the steps need that are Lambdas on either engine."""


class TrainingStack(AttuneStack):
    """The state machine, what runs its steps, the analysis of experiments, and the schedules."""

    def __init__(
        self,
        scope: Construct,
        part: str,
        *,
        environment: Environment,
        data: DataStack,
        experiments: ExperimentsStack,
    ) -> None:
        super().__init__(scope, part, environment=environment)
        self._data = data
        self._experiments = experiments
        self._layers = Layers(self, "Layers", environment=environment)
        engine = environment.training.engine
        if isinstance(engine, LambdaEngine):
            self.run_training_step = self._function(engine)
            self._let_do_everything(self.run_training_step)
            steps: Steps = self._on_lambda()
        else:
            self.run_training_step = self._function(_BESIDE_SAGEMAKER)
            self._let_judge(self.run_training_step)
            steps = self._on_sagemaker(engine)
        experiments.grant_read(self.run_training_step)
        self.workflow = TrainingWorkflow(
            self,
            "Workflow",
            steps=steps,
            step_function=self.run_training_step,
            environment=environment,
        )
        self.missed_starts = DeadLetterQueue(self, "MissedStarts", key=None)
        self._schedule()
        self.experiment_analysis = ExperimentAnalysis(
            self,
            "ExperimentAnalysis",
            lake=data.lake,
            table=data.table,
            token_secret=data.token_secret,
            experiments_address=experiments.address,
            layers=self._layers,
            environment=environment,
        )
        experiments.grant_read(self.experiment_analysis.function)
        CfnOutput(self, "StateMachineArn", value=self.workflow.state_machine_arn)
        CfnOutput(self, "AnalysisFunctionName", value=self.experiment_analysis.function.function_name)

    def _function(self, size: LambdaEngine) -> PythonFunction:
        data = self._data
        return PythonFunction(
            self,
            "RunTrainingStep",
            name="run_training_step",
            packages=["training"],
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base, self._layers.ranking],
            variables={
                "LAKE_BUCKET": data.lake.bucket_name,
                "MODEL_BUCKET": data.models.bucket_name,
                "TABLE_NAME": data.table.table_name,
                "CODE_VERSION": code_version(),
                "EXPERIMENTS_ADDRESS": self._experiments.address,
            },
            memory_mb=size.memory_mb,
            timeout=Duration.minutes(15),
            scratch=Size.gibibytes(size.scratch_gb),
        )

    def _let_do_everything(self, function: PythonFunction) -> None:
        data = self._data
        grant_listing(data.lake, function, prefix="events/")
        grant_objects(data.lake, "events/", function, "GetObject")
        grant_listing(data.models, function)
        for prefix in ("models/", "runs/", "snapshots/"):
            grant_objects(data.models, prefix, function, "GetObject", "PutObject")
        grant_items(data.table, function, "BatchGetItem", keys=[MODEL, USERS])
        grant_items(data.table, function, "PutItem", keys=[USERS, SEGMENTS, MODEL])

    def _let_judge(self, function: PythonFunction) -> None:
        """Allow what *champion*, *gate* and *announce* do."""
        data = self._data
        grant_listing(data.models, function)
        grant_objects(data.models, "models/", function, "GetObject")
        grant_objects(data.models, "runs/", function, "GetObject", "PutObject")
        grant_items(data.table, function, "BatchGetItem", keys=[MODEL])

    def _on_lambda(self) -> LambdaSteps:
        return LambdaSteps(self, self.run_training_step, self.settings.training.ranking_shards)

    def _on_sagemaker(self, engine: SageMakerEngine) -> SageMakerSteps:
        data = self._data
        image = JobImage(self, "JobImage", environment=self.settings, layers=self._layers)
        roles = JobRoles(
            self,
            "JobRoles",
            repository=image.repository,
            lake=data.lake,
            models=data.models,
            table=data.table,
        )
        surroundings = JobSurroundings(
            image=image.uri,
            roles=roles,
            lake=data.lake,
            models=data.models,
            table_name=data.table.table_name,
            key=data.key,
            name_prefix=f"attune-{self.settings.name}",
        )
        shards = self.settings.training.ranking_shards
        return SageMakerSteps(self, engine, self._on_lambda(), surroundings, shard_count=shards)

    def _schedule(self) -> None:
        scheduler.Schedule(
            self,
            "Nightly",
            schedule=scheduler.ScheduleExpression.cron(minute="0", hour="3"),
            enabled=self.settings.training.nightly,
            target=StepFunctionsStartExecution(
                self.workflow,
                dead_letter_queue=self.missed_starts,
                max_event_age=Duration.hours(1),
                retry_attempts=10,
            ),
        )
