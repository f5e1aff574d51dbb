"""From an alarm to the model before: a rule, a function, and a queue for what went wrong on the way."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infrastructure.constructs.grants import MODEL, SEGMENTS, grant_items
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DeadLetterQueue, FailedEvents
from infrastructure.fields import Environment

_LATEST: Final = Duration.minutes(30)
"""An alarm older than this says little of the model in service by then."""


class AutomaticRollback(Construct):
    """Calls `roll_back_model` whenever one of the alarms begins."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        hours: int,
        alarms: list[cloudwatch.IAlarm],
        table: dynamodb.ITable,
        layers: Layers,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.failed = DeadLetterQueue(self, "Failed", key=None)
        self.function = PythonFunction(
            self,
            "RollBackModel",
            name="roll_back_model",
            environment=environment,
            layers=[layers.personalization, layers.base],
            variables={"TABLE_NAME": table.table_name, "ROLLBACK_HOURS": str(hours)},
            memory_mb=512,
            timeout=Duration.seconds(30),
        )
        self.function.live.configure_async_invoke(on_failure=FailedEvents(self.failed))
        grant_items(table, self.function, "BatchGetItem", keys=[MODEL, SEGMENTS])
        grant_items(table, self.function, "PutItem", keys=[MODEL])
        events.Rule(
            self,
            "Rule",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                resources=[alarm.alarm_arn for alarm in alarms],
                detail={"state": {"value": ["ALARM"]}},
            ),
            targets=[
                targets.LambdaFunction(
                    self.function.live, dead_letter_queue=self.failed, max_event_age=_LATEST
                )
            ],
        )
