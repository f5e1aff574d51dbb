"""How a Lambda reads the event stream: bounded, and with somewhere for a batch to go at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.constructs.gradual_rollout import roll_out_gradually
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DeadLetterQueue, FailedBatches, call_live

# Records that can't be processed are quarantined by the handlers, so only transient faults fail a
# batch: it is tried for hours, but not for so long that its records leave the stream unread.
_ATTEMPTS: Final = 200
_RECORD_AGE: Final = Duration.hours(6)
_READ: Final = (
    "kinesis:DescribeStream",
    # Also asked by the handlers for the stream's age, by which a recreated one is told apart.
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How many records an invocation gets, how long it waits for them, and how many run at once."""

    size: int
    window: Duration
    per_shard: int
    """Batches in flight per shard; above 1 a shard's records come in more and smaller batches."""


class StreamConsumer(Construct):
    """A mapping from `stream` to `function`.

    A failed batch is cut in two, the good records before a failed one are not repeated, and what
    never succeeds is named in `failed_batches` by shard and sequence numbers; the lake and the
    stream still hold its bytes.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: PythonFunction,
        stream: kinesis.IStream,
        batching: Batching,
        enhanced_fan_out: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        self.failed_batches = DeadLetterQueue(self, "FailedBatches", key=None)
        source_arn = stream.stream_arn
        if enhanced_fan_out:
            reader = kinesis.StreamConsumer(
                self, "Reader", stream=stream, stream_consumer_name=f"{construct_id}-{self.node.addr[:8]}"
            )
            source_arn = reader.stream_consumer_arn
            _allow(function, ("kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"), source_arn)
        _allow(function, _READ, stream.stream_arn)
        roll_out_gradually(function)
        mapping = function.add_event_source_mapping(
            construct_id,
            event_source_arn=source_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=batching.size,
            max_batching_window=batching.window,
            parallelization_factor=batching.per_shard,
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=_ATTEMPTS,
            max_record_age=_RECORD_AGE,
            on_failure=FailedBatches(self.failed_batches),
        )
        call_live(mapping, function)


def _allow(function: lambda_.Function, actions: Sequence[str], resource: str) -> None:
    function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))
