"""From the log of the read path to the lake: a subscription filter, a function, a queue for what failed."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_logs_destinations as log_destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs.grants import grant_objects
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DeadLetterQueue, FailedEvents
from infrastructure.fields import Environment

_ATTEMPTS_AGAIN: Final = 2
"""The most that Lambda repeats an asynchronous call."""
_OLDEST: Final = Duration.hours(6)
_LINES: Final = logs.FilterPattern.all_terms("exposure", "list_id")
"""Lines of other messages pass by, or are told apart by the function.

Terms, not fields: the local AWS matches those alone.
"""


class ExposureArchive(Construct):
    """Brings the exposures in `source`'s log to the lake, without a call on the read path."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: lambda_.Function,
        lake: s3.IBucket,
        key: kms.IKey | None,
        layers: Layers,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        # A message holds a whole delivery, pseudonyms and all.
        self.failed = DeadLetterQueue(self, "Failed", key=key)
        self.function = PythonFunction(
            self,
            "ArchiveExposures",
            name="archive_exposures",
            environment=environment,
            layers=[layers.personalization, layers.base],
            variables={"LAKE_BUCKET": lake.bucket_name},
            memory_mb=512,
            timeout=Duration.seconds(30),
        )
        # By its ARN, or CDK would allow the use of the key once more: it trusts SQS as it is.
        failed = sqs.Queue.from_queue_arn(self, "FailedByArn", self.failed.queue_arn)
        self.function.live.configure_async_invoke(
            on_failure=FailedEvents(failed),
            retry_attempts=_ATTEMPTS_AGAIN,
            max_event_age=_OLDEST,
        )
        for prefix in ("exposures/", "quarantine/exposures/"):
            grant_objects(lake, prefix, self.function, "PutObject")
        logs.SubscriptionFilter(
            self,
            "Exposures",
            log_group=source.log_group,
            destination=log_destinations.LambdaDestination(self.function.live),
            filter_pattern=_LINES,
        )
