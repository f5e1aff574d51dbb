"""Queues, each with a place for what could not be processed."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.suppressions import acknowledge

_KEPT_FOR_OPERATORS: Final = Duration.days(14)
_ATTEMPTS: Final = 5


class DeadLetterQueue(sqs.Queue):
    """Keeps what failed for good for two weeks, the longest SQS can; any message in it is an alarm."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(
            scope,
            construct_id,
            retention_period=_KEPT_FOR_OPERATORS,
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
    ) -> None:
        """Define both queues; a message stays hidden six times as long as its consumer may take."""
        self.dead_letters = DeadLetterQueue(scope, f"{construct_id}DeadLetters", key=key)
        super().__init__(
            scope,
            construct_id,
            visibility_timeout=Duration.seconds(6 * consumer_timeout.to_seconds()),
            retention_period=retention,
            enforce_ssl=True,
            encryption=_encryption(key),
            encryption_master_key=key,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_ATTEMPTS),
        )


def _encryption(key: kms.IKey | None) -> sqs.QueueEncryption:
    return sqs.QueueEncryption.SQS_MANAGED if key is None else sqs.QueueEncryption.KMS
