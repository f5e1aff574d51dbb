"""The slow loop and its nightly start."""

from typing import Final

from aws_cdk import CfnOutput, Duration, Size
from aws_cdk import aws_scheduler as scheduler
from aws_cdk.aws_scheduler_targets import StepFunctionsStartExecution
from constructs import Construct

from infrastructure.constructs.code_version import code_version
from infrastructure.constructs.grants import grant_items, grant_listing, grant_objects
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DeadLetterQueue
from infrastructure.constructs.training_workflow import TrainingWorkflow
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack

# The most that an account gets without asking AWS for more.
_MEMORY_MB: Final = 3008


class TrainingStack(AttuneStack):
    """The state machine, the one function behind its steps, and the schedule."""

    def __init__(self, scope: Construct, part: str, *, environment: Environment, data: DataStack) -> None:
        super().__init__(scope, part, environment=environment)
        self._data = data
        self.run_training_step = self._run_training_step()
        self.workflow = TrainingWorkflow(
            self, "Workflow", step_function=self.run_training_step, environment=environment
        )
        self.missed_starts = DeadLetterQueue(self, "MissedStarts", key=None)
        self._schedule()
        CfnOutput(self, "StateMachineArn", value=self.workflow.state_machine_arn)

    def _run_training_step(self) -> PythonFunction:
        data = self._data
        layers = Layers(self, "Layers", environment=self.settings)
        function = PythonFunction(
            self,
            "RunTrainingStep",
            name="run_training_step",
            packages=["training"],
            environment=self.settings,
            layers=[layers.personalization, layers.base, layers.ranking],
            variables={
                "LAKE_BUCKET": data.lake.bucket_name,
                "MODEL_BUCKET": data.models.bucket_name,
                "TABLE_NAME": data.table.table_name,
                "CODE_VERSION": code_version(),
            },
            memory_mb=_MEMORY_MB,
            timeout=Duration.minutes(15),
            scratch=Size.gibibytes(4),
        )
        grant_listing(data.lake, function, prefix="events/")
        grant_objects(data.lake, "events/", function, "GetObject")
        grant_listing(data.models, function)
        grant_objects(data.models, "", function, "GetObject", "PutObject")
        grant_items(data.table, function, "BatchGetItem", "PutItem")
        return function

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
