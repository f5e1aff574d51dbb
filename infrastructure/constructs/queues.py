"""Queues, each with a place for what could not be processed."""

from typing import Final

import jsii
from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs.gradual_rollout import roll_out_gradually
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.suppressions import acknowledge

DEAD_LETTERS_KEPT: Final = Duration.days(14)
_ATTEMPTS: Final = 5


class DeadLetterQueue(sqs.Queue):
    """Keeps what failed for good for two weeks, the longest SQS can; any message in it is an alarm.

    Without a key of its own, it is under the environment's in the end, where there is one (`encrypt_all`).
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(
            scope,
            construct_id,
            retention_period=DEAD_LETTERS_KEPT,
            enforce_ssl=True,
            encryption=_encryption(key),
            encryption_master_key=key,
        )
        acknowledge(self, {"AwsSolutions-SQS3": "This queue is itself where failures end."})


class WorkQueue(sqs.Queue):
    """A queue whose messages get five attempts and then go to `dead_letters`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey | None,
        consumer_timeout: Duration,
        retention: Duration,
        hidden: Duration | None = None,
        delay: Duration | None = None,
    ) -> None:
        """Define both queues.

        Parameters
        ----------
        hidden
            How long a message that is worked on is nobody else's; six times as long as its consumer may take,
            when left out.
        delay
            How long a new message waits.
        """
        self.dead_letters = DeadLetterQueue(scope, f"{construct_id}DeadLetters", key=key)
        super().__init__(
            scope,
            construct_id,
            visibility_timeout=hidden or Duration.seconds(6 * consumer_timeout.to_seconds()),
            delivery_delay=delay,
            retention_period=retention,
            enforce_ssl=True,
            encryption=_encryption(key),
            encryption_master_key=key,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_ATTEMPTS),
        )

    def feed(self, function: PythonFunction, *, batch_size: int, max_concurrency: int) -> None:
        """Have Lambda call `function` with messages as they come; it may report those that failed.

        CDK's own event source allows more than the mapping needs:
        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        """
        actions = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[self.queue_arn]))
        if self.encryption_master_key is not None:
            key = self.encryption_master_key.key_arn
            function.add_to_role_policy(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[key]))
        roll_out_gradually(function)
        mapping = function.add_event_source_mapping(
            f"{self.node.id}Source",
            event_source_arn=self.queue_arn,
            batch_size=batch_size,
            max_batching_window=Duration.seconds(0),
            max_concurrency=max_concurrency,
            report_batch_item_failures=True,
        )
        call_live(mapping, function)


@jsii.implements(lambda_.IEventSourceDlq)
class FailedBatches:
    """Where a mapping tells of batches that it gave up; CDK's own allows more than sending."""

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(
        self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        """Let the function send."""
        del target
        target_handler.add_to_role_policy(sending(self._queue))
        return lambda_.DlqDestinationConfig(destination=self._queue.queue_arn)


@jsii.implements(lambda_.IDestination)
class FailedEvents:
    """Where an event goes that a function did not take; CDK's own allows more than sending."""

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(
        self,
        scope: Construct,
        fn: lambda_.IFunction,
        *,
        type: lambda_.DestinationType,  # noqa: A002
    ) -> lambda_.DestinationConfig:
        """Let the function send."""
        del scope, type
        fn.add_to_role_policy(sending(self._queue))
        return lambda_.DestinationConfig(destination=self._queue.queue_arn)


def call_live(mapping: lambda_.EventSourceMapping, function: PythonFunction) -> None:
    """Have a mapping call the version that serves.

    The mapping is still the function's own child: as the alias' it would be another resource, which
    CloudFormation makes before it removes this one, and which reads a stream from its beginning. So only its
    `FunctionName` changes, in place, and it goes on where it was.
    """
    resource = mapping.node.default_child
    if isinstance(resource, lambda_.CfnEventSourceMapping):
        resource.function_name = function.live.function_arn


def sending(queue: sqs.IQueue) -> iam.PolicyStatement:
    """Return the permission to send to a queue."""
    return iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])


def _encryption(key: kms.IKey | None) -> sqs.QueueEncryption:
    return sqs.QueueEncryption.SQS_MANAGED if key is None else sqs.QueueEncryption.KMS
