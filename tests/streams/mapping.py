"""Lambda's event source mapping over Kinesis: what it does with a batch, and with the answer.

As documented:

- A shard has as many lanes as the parallelization factor; a partition key always has the same lane, and a
  lane has one batch in flight.
- A batch holds up to `batch_size` records; the window closes whenever it likes, so any smaller number.
- A function error: the batch is tried again, cut in two if it can be; a cut costs no attempt.
- A partial batch response: all before the lowest failed record is done, the rest is tried again.
  An id that is none of the batch's, or an empty one, fails the whole batch.
- A record that is tried too often, or is too old, is dropped, and the failure destination told its shard and
  numbers.
- Records of a child wait until all its parents' are done.
- Delivery is at least once: a lost checkpoint brings the lane's latest records again.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

from streams.stream import Record, Shard, Stream

Invoke = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The settings of a mapping."""

    batch_size: int
    lanes: int = 1
    partial: bool = True
    bisect: bool = True
    attempts: int = 200
    max_age: timedelta = timedelta(hours=6)


@dataclass(frozen=True)
class Dropped:
    """What the failure destination is told."""

    shard: str
    first: int
    last: int


@dataclass
class _Batch:
    records: list[Record]
    attempts: int = 0


@dataclass
class _Lane:
    shard: Shard
    number: int
    read: int = 0
    """Records of the shard that were looked at."""
    done: list[Record] = field(default_factory=list)
    pending: list[_Batch] = field(default_factory=list)
    waiting: list[Record] = field(default_factory=list)


class FunctionError(Exception):
    """The invocation ended without an answer: an exception, a crash, a timeout, a throttle."""


class EventSourceMapping:
    """One consumer of a stream."""

    def __init__(
        self, stream: Stream, invoke: Invoke, options: Options, *, random: Random, now: Callable[[], datetime]
    ) -> None:
        self._stream = stream
        self._invoke = invoke
        self._options = options
        self._random = random
        self._now = now
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self.dropped: list[Dropped] = []
        self.invocations = 0

    def poll(self) -> bool:
        """Deliver one batch of some lane that has one; return whether there was any."""
        ready = self._ready()
        if not ready:
            return False
        lane = self._random.choice(ready)
        if not lane.pending:
            size = self._random.randint(1, min(self._options.batch_size, len(lane.waiting)))
            lane.pending.append(_Batch(lane.waiting[:size]))
            del lane.waiting[:size]
        self._deliver(lane)
        return True

    def drain(self, limit: int = 20_000) -> None:
        """Deliver until nothing is left."""
        for _ in range(limit):
            if not self.poll():
                return
        raise AssertionError("the mapping is stuck")

    def lose_checkpoint(self) -> None:
        """Bring the latest records of some lane again, in batches cut anew."""
        lanes = [lane for lane in self._lanes.values() if lane.done]
        if lanes:
            lane = self._random.choice(lanes)
            back = self._random.randint(1, len(lane.done))
            undone = [record for batch in lane.pending for record in batch.records]
            lane.pending.clear()
            lane.waiting[:0] = lane.done[-back:] + undone
            del lane.done[-back:]

    def deliver_again(self) -> None:
        """Deliver a batch that is done once more, out of turn; what comes of it is looked at by nobody."""
        lanes = [lane for lane in self._lanes.values() if lane.done]
        if lanes:
            lane = self._random.choice(lanes)
            start = self._random.randrange(len(lane.done))
            self._call(lane.shard, lane.done[start : start + self._options.batch_size])

    def _ready(self) -> list[_Lane]:
        for shard in self._stream.shards:
            for number in range(self._options.lanes):
                lane = self._lanes.setdefault((shard.name, number), _Lane(shard, number))
                fresh = shard.records[lane.read :]
                lane.read = len(shard.records)
                lane.waiting += [
                    row for row in fresh if crc32(row.key.encode()) % self._options.lanes == number
                ]
        return [
            lane
            for lane in self._lanes.values()
            if (lane.pending or lane.waiting) and all(map(self._is_drained, lane.shard.parents))
        ]

    def _is_drained(self, shard: Shard) -> bool:
        lanes = [self._lanes[shard.name, number] for number in range(self._options.lanes)]
        return not any(lane.pending or lane.waiting for lane in lanes) and all(
            map(self._is_drained, shard.parents)
        )

    def _deliver(self, lane: _Lane) -> None:
        batch = lane.pending.pop(0)
        old = [row for row in batch.records if self._now() - row.arrived_at > self._options.max_age]
        if old or batch.attempts > self._options.attempts:
            self.dropped.append(
                Dropped(lane.shard.name, batch.records[0].sequence, batch.records[-1].sequence)
            )
            return
        succeeded, answered = self._call(lane.shard, batch.records)
        lane.done += batch.records[:succeeded]
        rest = batch.records[succeeded:]
        if not rest:
            return
        if self._options.bisect and len(rest) > 1 and not (answered and succeeded):
            middle = len(rest) // 2
            lane.pending[:0] = [_Batch(rest[:middle], batch.attempts), _Batch(rest[middle:], batch.attempts)]
        else:
            lane.pending.insert(0, _Batch(rest, batch.attempts + 1))

    def _call(self, shard: Shard, records: Sequence[Record]) -> tuple[int, bool]:
        """Invoke the function; return how many records from the start are done, and whether it answered."""
        self.invocations += 1
        event = {"Records": [_as_lambda_gets_it(shard, record) for record in records]}
        try:
            answer = self._invoke(event)
        except FunctionError:
            return 0, False
        if not self._options.partial:
            return len(records), True
        failed = [row.get("itemIdentifier") for row in (answer or {}).get("batchItemFailures") or []]
        if not failed:
            return len(records), True
        places = {str(record.sequence): place for place, record in enumerate(records)}
        if any(name not in places for name in failed):
            return 0, True
        return min(places[name] for name in failed), True


def _as_lambda_gets_it(shard: Shard, record: Record) -> dict[str, Any]:
    return {
        "eventID": f"{shard.name}:{record.sequence}",
        "eventSource": "aws:kinesis",
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.key,
            "sequenceNumber": str(record.sequence),
            "data": b64encode(record.data).decode(),
            "approximateArrivalTimestamp": record.arrived_at.timestamp(),
        },
    }
