"""The driver that stands in for Lambda's event source mapping keeps to what is documented."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

from factories import NOW
from streams.mapping import Dropped, EventSourceMapping, FunctionError, Options
from streams.stream import Stream

KEY = "user-1"


class Consumer:
    """A function that notes its batches and answers as it is told."""

    def __init__(self, stream: Stream, **options: Any) -> None:
        self.batches: list[list[int]] = []
        self.poison: set[int] = set()
        self.failing: dict[int, int] = {}
        self.now = NOW
        self.mapping = EventSourceMapping(
            stream,
            self._invoke,
            Options(**{"batch_size": 10} | options),
            random=Random(1),
            now=lambda: self.now,
        )

    def drain(self) -> None:
        self.mapping.drain(limit=500)

    @property
    def delivered(self) -> list[int]:
        return [number for batch in self.batches for number in batch]

    def _invoke(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        numbers = [int(row["kinesis"]["sequenceNumber"]) for row in event["Records"]]
        self.batches.append(numbers)
        if self.poison.intersection(numbers):
            raise FunctionError
        failed = [number for number in numbers if self.failing.get(number, 0) > 0]
        for number in failed:
            self.failing[number] -= 1
        return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in failed]}


def filled(count: int, shards: int = 1) -> Stream:
    stream = Stream(shards)
    for _ in range(count):
        stream.put(KEY, b"{}", NOW)
    return stream


def test_every_record_is_delivered_once_and_in_order() -> None:
    consumer = Consumer(filled(30))
    consumer.drain()
    assert consumer.delivered == list(range(1, 31))
    assert max(map(len, consumer.batches)) <= 10


def test_all_before_the_lowest_failed_record_is_done() -> None:
    consumer = Consumer(filled(10))
    consumer.failing = {6: 1, 8: 1}
    consumer.drain()
    counts = [consumer.delivered.count(number) for number in range(1, 11)]
    assert counts[:5] == [1] * 5
    assert counts[5] == 2
    assert not consumer.mapping.dropped


def test_a_failed_batch_is_cut_until_only_the_bad_record_is_dropped() -> None:
    consumer = Consumer(filled(10), attempts=2)
    consumer.poison = {7}
    consumer.drain()
    (dropped,) = consumer.mapping.dropped
    assert (dropped.first, dropped.last) == (7, 7)
    assert set(consumer.delivered) == set(range(1, 11))


def test_without_cutting_the_whole_batch_is_dropped_after_its_attempts() -> None:
    consumer = Consumer(filled(1), bisect=False, attempts=3)
    consumer.poison = {1}
    consumer.drain()
    assert consumer.batches == [[1]] * 4
    assert consumer.mapping.dropped == [Dropped("shardId-000000000000", 1, 1)]


def test_records_that_are_too_old_are_dropped_undelivered() -> None:
    consumer = Consumer(filled(3))
    consumer.now += timedelta(hours=7)
    consumer.drain()
    assert not consumer.batches
    assert consumer.mapping.dropped


def test_children_wait_for_their_parents() -> None:
    stream = filled(5)
    consumer = Consumer(stream, attempts=0, bisect=False)
    stream.split(stream.shards[0])
    for _ in range(5):
        stream.put(KEY, b"{}", NOW)
    consumer.drain()
    assert consumer.delivered == list(range(1, 11))


def test_a_lost_checkpoint_brings_records_again_in_order() -> None:
    consumer = Consumer(filled(10))
    consumer.drain()
    consumer.mapping.lose_checkpoint()
    consumer.drain()
    again = consumer.delivered[10:]
    assert again == list(range(again[0], 11))


def test_a_partition_key_keeps_to_one_lane() -> None:
    stream = filled(20)
    consumer = Consumer(stream, lanes=4)
    consumer.drain()
    assert consumer.delivered == list(range(1, 21))


def test_an_answer_that_names_an_unknown_record_fails_the_whole_batch() -> None:
    stream = filled(1)
    answers = [{"batchItemFailures": [{"itemIdentifier": "999"}]}, {"batchItemFailures": []}]
    mapping = EventSourceMapping(
        stream, lambda _: answers.pop(0), Options(batch_size=10), random=Random(1), now=lambda: NOW
    )
    mapping.drain(limit=5)
    assert mapping.invocations == 2
