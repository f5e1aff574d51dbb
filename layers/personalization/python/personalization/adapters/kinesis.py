"""The event stream on Kinesis, from the writing side, and its records as Lambda hands them over."""

import random
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.events import Event, encode_event
from personalization.ports import StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_RECORDS: Final = 500
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.1
_TRANSIENT: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "InternalFailure",
        "ServiceUnavailable",
    }
)


class KinesisEventStream:
    """Appends events; each user's, and each item's, keep their order within one call."""

    def __init__(self, client: "KinesisClient", stream_name: str) -> None:
        self._client = client
        self._stream_name = stream_name

    def send(self, events: Sequence[Event]) -> list[int]:
        """Append events; return the indexes of those not taken after 3 attempts."""
        failed: list[int] = []
        for chunk in _chunks([(encode_event(event), event.partition_key) for event in events]):
            failed += self._send_chunk(chunk)
        return failed

    def _send_chunk(self, chunk: list[tuple[int, bytes, str]]) -> list[int]:
        pending = chunk
        for attempt in range(_ATTEMPTS):
            if attempt:
                # Full jitter: clients that were throttled together don't come back together.
                time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311
            pending = self._put(pending)
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
            if error.response["Error"]["Code"] in _TRANSIENT:
                return chunk
            raise
        except UNREACHABLE:
            return chunk
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
