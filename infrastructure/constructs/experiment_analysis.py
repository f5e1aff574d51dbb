"""The hourly analysis of experiments: its function, its schedule, and where failures end."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.aws_scheduler_targets import LambdaInvoke
from constructs import Construct

from infrastructure.constructs.grants import (
    ANALYZED,
    EXPERIMENTS,
    grant_items,
    grant_listing,
    grant_objects,
    grant_secret,
)
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DeadLetterQueue, FailedEvents
from infrastructure.fields import Environment

_READ: Final = ("events/", "exposures/", "experiments/")
_AGAIN: Final = 1
"""A run that failed is repeated once; the next hour's makes good whatever it left."""


class ExperimentAnalysis(Construct):
    """Runs `analyze_experiments` every hour, or whenever it is invoked with `{"experiment": name}`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        lake: s3.IBucket,
        table: dynamodb.ITable,
        token_secret: secretsmanager.ISecret,
        experiments_address: str,
        layers: Layers,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.failed = DeadLetterQueue(self, "Failed", key=None)
        self.function = PythonFunction(
            self,
            "AnalyzeExperiments",
            name="analyze_experiments",
            packages=["training"],
            environment=environment,
            layers=[layers.personalization, layers.base, layers.ranking],
            variables={
                "LAKE_BUCKET": lake.bucket_name,
                "TABLE_NAME": table.table_name,
                "TOKEN_SECRET_ARN": token_secret.secret_arn,
                "EXPERIMENTS_ADDRESS": experiments_address,
            },
            memory_mb=3008,
            timeout=Duration.minutes(15),
        )
        self.function.live.configure_async_invoke(
            on_failure=FailedEvents(self.failed),
            retry_attempts=_AGAIN,
            max_event_age=Duration.hours(1),
        )
        for prefix in _READ:
            grant_objects(lake, prefix, self.function, "GetObject")
            grant_listing(lake, self.function, prefix=prefix)
        grant_objects(lake, "experiments/", self.function, "PutObject")
        grant_items(table, self.function, "BatchGetItem", "PutItem", keys=[EXPERIMENTS])
        grant_items(table, self.function, "UpdateItem", keys=[ANALYZED])
        grant_secret(token_secret, self.function)
        self._schedule(enabled=environment.training.nightly)

    def _schedule(self, *, enabled: bool) -> None:
        role = iam.Role(self, "Starter", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        scheduler.Schedule(
            self,
            "Hourly",
            schedule=scheduler.ScheduleExpression.cron(minute="10"),
            enabled=enabled,
            target=LambdaInvoke(
                self.function.live,
                role=role,
                dead_letter_queue=self.failed,
                max_event_age=Duration.minutes(30),
                retry_attempts=3,
            ),
        )
