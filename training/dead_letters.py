"""What each kind of dead letter is, and how it goes back to where it came from; doing so twice does no harm.

A message is hidden while it is worked on, and deleted once it went back: two operators send it once, and what
was interrupted comes again.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from msgspec import Struct

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

HIDDEN_SECONDS: Final = 900
"""While a message is worked on: as long as a Lambda may take."""
_PAYLOAD_BYTES: Final = 4_000_000
"""Of a synchronous call Lambda takes 6 MB."""
_SENT: Final = "SentTimestamp"


class Kind(StrEnum):
    """What an edge's messages are."""

    MESSAGES = "messages"
    """Messages of a queue: they go back to it, as by SQS' own move task, which the local AWS has not."""
    CALLS = "calls"
    """Events that a function did not take: it is called with each."""
    RECORDS = "records"
    """Places in the stream whose records a function did not take: it is called with those records."""
    PROFILES = "profiles"
    """The same for profiles, which have moved on since: they are made anew from the lake."""
    RUN = "run"
    """Runs that did not start: one starts, since it works on all there is."""
    BY_HAND = "by hand"
    """Decisions of a moment that has passed: somebody has to look."""


class Edge(Struct, frozen=True, forbid_unknown_fields=True):
    """An asynchronous step, as a stack's output `Redrive<name>` describes it.

    Attributes
    ----------
    dead_letters
        URL of the queue where failures end.
    target
        Where they go back to: a queue's URL, or the ARN of a function's alias or a state machine.
    """

    kind: Kind
    dead_letters: str
    target: str = ""


@dataclass(frozen=True)
class Message:
    """A dead letter."""

    id: str
    body: str
    receipt: str
    sent_at: int

    @property
    def content(self) -> Mapping[str, Any]:
        """The body as an object; empty if it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def event(self) -> Mapping[str, Any]:
        """What a function was called with: Lambda wraps it, a scheduler or a rule sends it as it is."""
        wrapped: Mapping[str, Any] | None = self.content.get("requestPayload")
        return self.content if wrapped is None else wrapped


class Stays(Exception):
    """A message did not go back, and is kept; says why."""


def take(sqs: "SQSClient", url: str) -> Iterator[Message]:
    """Take every message, hiding it from others. Cost: a call for ten."""
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=[_SENT],
        )
        if not answer.get("Messages"):
            return
        for row in answer["Messages"]:
            yield Message(row["MessageId"], row["Body"], row["ReceiptHandle"], int(row["Attributes"][_SENT]))


def send_back(sqs: "SQSClient", queue: str, message: Message) -> None:
    """Put a message back into its queue; between that and its deletion it may be sent twice."""
    sqs.send_message(QueueUrl=queue, MessageBody=message.body)


def call(lambda_: Any, function: str, event: Mapping[str, Any]) -> None:
    """Call a function and wait for it.

    Raises
    ------
    Stays
        It failed, or did not take all records of a batch.
    """
    answer = lambda_.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    said = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise Stays(f"the function failed again: {said[:200].decode(errors='replace')}")
    result = json.loads(said or b"null")
    if isinstance(result, dict) and result.get("batchItemFailures"):
        raise Stays("the function took a part only; run again")


def start(stepfunctions: "SFNClient", machine: str, messages: Sequence[Message]) -> None:
    """Start one run for all that were missed, named after the latest so that it starts once."""
    latest = max(messages, key=lambda message: (message.sent_at, message.id))
    try:
        stepfunctions.start_execution(
            stateMachineArn=machine, name=f"redrive-{latest.id}", input=json.dumps(latest.content)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def records(kinesis: "KinesisClient", message: Message) -> list[Mapping[str, Any]]:
    """Read the records that a failed batch names. Cost: a call for what lies between its ends, 10 MB each.

    Raises
    ------
    Stays
        The message names none, or the stream has forgotten the first of them.
    """
    batch = message.content.get("KinesisBatchInfo")
    if not batch:
        raise Stays("it names no records of a stream")
    first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
    found = [row for row in _from(kinesis, batch, last) if first <= int(row["SequenceNumber"]) <= last]
    if not found or int(found[0]["SequenceNumber"]) != first:
        raise Stays("the stream has forgotten its records")
    return [_as_lambda_gets_it(batch, row) for row in found]


def batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Cut records into events that a call may hold."""
    chunk: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        weight = len(row["kinesis"]["data"]) + 1_000
        if chunk and size + weight > _PAYLOAD_BYTES:
            yield {"Records": chunk}
            chunk, size = [], 0
        chunk.append(row)
        size += weight
    yield {"Records": chunk}


def _from(kinesis: "KinesisClient", batch: Mapping[str, Any], last: int) -> Iterator[Mapping[str, Any]]:
    stream = batch["streamArn"]
    try:
        answer = kinesis.get_shard_iterator(
            StreamARN=stream,
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=batch["startSequenceNumber"],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in ("InvalidArgumentException", "ResourceNotFoundException"):
            return
        raise
    iterator: str | None = answer["ShardIterator"]
    while iterator:
        page = kinesis.get_records(ShardIterator=iterator, StreamARN=stream, Limit=10_000)
        yield from page["Records"]
        passed = page["Records"] and int(page["Records"][-1]["SequenceNumber"]) >= last
        if passed or not (page["Records"] or page.get("MillisBehindLatest")):
            return
        iterator = page.get("NextShardIterator")


def _as_lambda_gets_it(batch: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html shows the event."""
    return {
        "eventID": f"{batch['shardId']}:{row['SequenceNumber']}",
        "eventSource": "aws:kinesis",
        "eventSourceARN": batch["streamArn"],
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": row["PartitionKey"],
            "sequenceNumber": row["SequenceNumber"],
            "data": b64encode(row["Data"]).decode(),
            "approximateArrivalTimestamp": row["ApproximateArrivalTimestamp"].timestamp(),
        },
    }


Rebuild = Callable[[frozenset[str] | None], bool]
"""Makes the profiles of these partition keys anew, or of all; tells whether none is left that differs."""


def mend(kinesis: "KinesisClient", rebuild: Rebuild, messages: Sequence[Message]) -> None:
    """Make the profiles anew whose events are among failed batches; all, if the stream has forgotten some.

    Raises
    ------
    Stays
        Some profile is not as the lake has it.
    """
    keys: set[str] = set()
    for message in messages:
        try:
            keys |= {row["kinesis"]["partitionKey"] for row in records(kinesis, message)}
        except Stays:
            if not rebuild(None):
                raise Stays("some profiles moved on meanwhile; run again") from None
            return
    if not rebuild(frozenset(keys)):
        raise Stays("some profiles moved on meanwhile; run again")
