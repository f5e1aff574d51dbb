"""A stream with shards that split and merge.

As documented, a sequence number is unique within its shard only, and grows with every record of a partition
key, across resharding too. Here siblings even repeat each other's numbers, as nothing forbids.
https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from itertools import count, pairwise
from typing import NamedTuple

HASH_KEYS = 2**128


class Record(NamedTuple):
    """One record as it lies in a shard."""

    sequence: int
    key: str
    data: bytes
    arrived_at: datetime


@dataclass(eq=False)
class Shard:
    """A range [low, high) of hash keys, and its records in order."""

    name: str
    low: int
    high: int
    first: int
    parents: tuple["Shard", ...] = ()
    is_open: bool = True
    records: list[Record] = field(default_factory=list)

    def append(self, key: str, data: bytes, arrived_at: datetime) -> None:
        self.records.append(Record(self.first + len(self.records), key, data, arrived_at))

    @property
    def next_sequence(self) -> int:
        return self.first + len(self.records)


class Stream:
    """Shards, open and closed, in order of creation."""

    def __init__(self, shards: int = 2) -> None:
        self._names = (f"shardId-{number:012d}" for number in count())
        bounds = [HASH_KEYS * part // shards for part in range(shards + 1)]
        self.shards = [Shard(next(self._names), low, high, first=1) for low, high in pairwise(bounds)]

    @property
    def open_shards(self) -> list[Shard]:
        return [shard for shard in self.shards if shard.is_open]

    def put(self, key: str, data: bytes, arrived_at: datetime) -> None:
        point = int.from_bytes(md5(key.encode(), usedforsecurity=False).digest())
        shard = next(shard for shard in self.open_shards if shard.low <= point < shard.high)
        shard.append(key, data, arrived_at)

    def split(self, shard: Shard) -> None:
        middle = (shard.low + shard.high) // 2
        self._replace((shard,), [(shard.low, middle), (middle, shard.high)])

    def merge(self, one: Shard, other: Shard) -> None:
        assert one.high == other.low
        self._replace((one, other), [(one.low, other.high)])

    def _replace(self, parents: tuple[Shard, ...], ranges: list[tuple[int, int]]) -> None:
        first = max(parent.next_sequence for parent in parents)
        for parent in parents:
            parent.is_open = False
        self.shards += [Shard(next(self._names), low, high, first, parents) for low, high in ranges]
