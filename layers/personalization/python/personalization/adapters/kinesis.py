"""The event stream on Kinesis, from the writing side, and its records as Lambda hands them over."""

import random
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.deadlines import Deadline, Guard
from personalization.errors import Unavailable
from personalization.events import Event, encode_event
from personalization.ports import StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_RECORDS: Final = 500
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
SEND_SECONDS: Final = 4.0
"""How long all calls for one `send` may take; a client that waits longer has given up."""
ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.1
_TRANSIENT: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "InternalFailure",
        "ServiceUnavailable",
        "ThrottlingException",
        "KMSThrottlingException",
    }
)


class KinesisEventStream:
    """Appends events; each user's, and each item's, keep their order within one call.

    At most 3 calls for 500 records, and none for some seconds once 3 in a row failed or hung
    (`deadlines.Guard`): a stream that hangs would hold all of the account's Lambdas, those of reads too.
    """

    def __init__(self, client: "KinesisClient", stream_name: str, *, seconds: float = SEND_SECONDS) -> None:
        self._client = client
        self._stream_name = stream_name
        self._seconds = seconds
        self._guard = Guard(attempts=1)

    def send(self, events: Sequence[Event]) -> list[int]:
        """Append events; return the indexes of those not taken after 3 attempts, or in time.

        One that was given up may yet have been taken: sent again it is a repetition, which its id tells.
        """
        deadline = Deadline.after(self._seconds)
        failed: list[int] = []
        for chunk in _chunks([(encode_event(event), event.partition_key) for event in events]):
            failed += self._send_chunk(chunk, deadline)
        return failed

    def _send_chunk(self, chunk: list[tuple[int, bytes, str]], deadline: Deadline) -> list[int]:
        pending = chunk
        for attempt in range(ATTEMPTS):
            if self._guard.is_resting or deadline.is_over:
                break
            if attempt:
                # Full jitter: clients that were throttled together don't come back together.
                time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311
            try:
                pending = self._guard.call(partial(self._put, pending), deadline.remaining)
            except Unavailable:
                continue
            if not pending:
                break
        return [index for index, _, _ in pending]

    def _put(self, chunk: list[tuple[int, bytes, str]]) -> list[tuple[int, bytes, str]]:
        """Send one request; return the records to send again."""
        try:
            answer = self._client.put_records(
                StreamName=self._stream_name,
                Records=[{"Data": data, "PartitionKey": key} for _, data, key in chunk],
            )
        except ClientError as error:
            code, status = (
                error.response["Error"]["Code"],
                error.response["ResponseMetadata"]["HTTPStatusCode"],
            )
            if code in _TRANSIENT or status >= 500:
                raise Unavailable(code) from error
            raise
        except UNREACHABLE as error:
            raise Unavailable(type(error).__name__) from error
        if not answer["FailedRecordCount"]:
            return []
        return [
            record for record, result in zip(chunk, answer["Records"], strict=True) if "ErrorCode" in result
        ]


def _chunks(records: Sequence[tuple[bytes, str]]) -> Iterator[list[tuple[int, bytes, str]]]:
    """Cut records into requests of at most 500 records and 4 MB."""
    chunk: list[tuple[int, bytes, str]] = []
    size = 0
    for index, (data, key) in enumerate(records):
        weight = len(data) + len(key.encode())
        if chunk and (len(chunk) == MAX_RECORDS or size + weight > MAX_REQUEST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((index, data, key))
        size += weight
    if chunk:
        yield chunk


def stream_records(event: Mapping[str, Any]) -> list[StreamRecord]:
    """Read the records of a Lambda invocation by a Kinesis event source mapping, in order."""
    return [_stream_record(record) for record in event["Records"]]


def _stream_record(record: Mapping[str, Any]) -> StreamRecord:
    kinesis = record["kinesis"]
    return StreamRecord(
        shard=record["eventID"].partition(":")[0],
        sequence_number=kinesis["sequenceNumber"],
        partition_key=kinesis["partitionKey"],
        arrived_at=datetime.fromtimestamp(float(kinesis["approximateArrivalTimestamp"]), UTC),
        data=b64decode(kinesis["data"]),
    )


def stream_epoch(client: "KinesisClient", stream_name: str) -> int:
    """Seconds since 1970 at which the stream was created: a recreated stream has a later epoch."""
    summary = client.describe_stream_summary(StreamName=stream_name)["StreamDescriptionSummary"]
    return int(summary["StreamCreationTimestamp"].timestamp())
