"""Counts what AWS would bill for the calls of a handler that runs in this process on moto.

Capacity units follow DynamoDB's published rules from the sizes of records, because emulators make them up:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from math import ceil
from typing import Any, Final

from botocore.client import BaseClient
from moto.core.botocore_stubber import BotocoreStubber

from personalization.runtime.observability import logger

READ_BYTES: Final = 4_096
WRITE_BYTES: Final = 1_024
Record = Mapping[str, Mapping[str, Any]]


@dataclass
class Metered:
    """What ran while the meter was on.

    Attributes
    ----------
    cpu_seconds
        Of this process, all threads, without the emulator's share.
    written
        Sizes of the records written, in bytes, by the first word of their sort key.
    """

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0
    written: dict[str, list[int]] = field(default_factory=dict)
    object_bytes: list[int] = field(default_factory=list)
    stream_bytes: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def log_bytes(self) -> int:
        """Bytes of the lines that the handler wrote, without their ends."""
        return sum(len(line.encode()) for line in self.lines)


def item_bytes(record: Record) -> int:
    """Size of a record by DynamoDB's rule: names and values, numbers by their digits."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in record.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "S":
        return len(held.encode())
    if kind == "B":
        return len(held)
    if kind == "N":
        return ceil(len(held.strip("-0.").replace(".", "")) / 2) + 1
    if kind == "SS":
        return sum(len(one.encode()) for one in held)
    if kind == "BOOL":
        return 1
    raise ValueError(f"no rule for an attribute of type {kind}")


@contextmanager
def metered() -> Iterator[Metered]:
    """Meter everything that clients are asked within; one at a time."""
    found = Metered()
    emulator = _EmulatorTime()
    (log,) = logger.handlers
    out = StringIO()
    before = log.setStream(out)
    calling, answering = BaseClient._make_api_call, BotocoreStubber.__call__

    def call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        found.calls[operation] += 1
        if operation == "PutObject":
            # botocore wraps the body while it calls.
            found.object_bytes.append(len(parameters["Body"]))
        answer = calling(client, operation, parameters)
        if operation == "UpdateItem":
            # An update costs the size of the whole record that it leaves.
            asked = {name: parameters[name] for name in ("TableName", "Key")}
            _note_write(found, calling(client, "GetItem", asked)["Item"])
        else:
            _note(found, operation, parameters, answer)
        return answer

    def answer(stubber: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
        with emulator.on():
            return answering(stubber, *args, **kwargs)

    BaseClient._make_api_call, BotocoreStubber.__call__ = call, answer
    start = time.process_time()
    try:
        with redirect_stdout(out):
            yield found
    finally:
        found.cpu_seconds = time.process_time() - start - emulator.seconds
        BaseClient._make_api_call, BotocoreStubber.__call__ = calling, answering
        log.setStream(before)
        found.lines = [line for line in out.getvalue().splitlines() if line]


@dataclass
class _EmulatorTime:
    """Processor time that threads spent in the emulator."""

    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def on(self) -> Iterator[None]:
        start = time.thread_time()
        try:
            yield
        finally:
            with self._lock:
                self.seconds += time.thread_time() - start


def _note(found: Metered, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    if operation == "BatchGetItem":
        for table, request in asked["RequestItems"].items():
            rows = answer["Responses"].get(table, [])
            weight = 1.0 if request.get("ConsistentRead") else 0.5
            absent = len(request["Keys"]) - len(rows)
            found.read_units += weight * (absent + sum(ceil(item_bytes(row) / READ_BYTES) for row in rows))
    elif operation == "PutItem":
        _note_write(found, asked["Item"])
    elif operation == "PutRecords":
        found.stream_bytes += [len(row["Data"]) + len(row["PartitionKey"]) for row in asked["Records"]]


def _note_write(found: Metered, record: Record) -> None:
    size = item_bytes(record)
    found.write_units += ceil(size / WRITE_BYTES)
    found.written.setdefault(record["sk"]["S"].partition("#")[0], []).append(size)
