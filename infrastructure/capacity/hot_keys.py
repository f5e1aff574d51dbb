"""Keys that many share: what each takes at a size, and how evenly partition keys fall on shards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import md5
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.capacity.model import concurrency, unavailable_bytes
from infrastructure.cost.fast_loop import SHARD_RECORDS
from infrastructure.cost.quantities import MEASURED
from infrastructure.cost.read_path import CACHE_SECONDS
from infrastructure.cost.usage import Plan

RECORD_READS: Final = 3_000.0
RECORD_WRITES: Final = 1_000.0
RECORD_BYTES: Final = 409_600.0
_HASH_BITS: Final = 128
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class HotKey:
    """A record or a partition key that all, or very many, meet.

    Attributes
    ----------
    use
        How much of `unit` a plan takes there.
    """

    key: str
    touched: str
    limit: float
    unit: str
    use: Callable[[Plan], float]


def _looks(plan: Plan, function: str = "get_recommendations") -> float:
    """Times a second that a function's containers look at what all share."""
    return concurrency(plan)[function] / CACHE_SECONDS


HOT_KEYS: Final = (
    HotKey(
        "`MODEL` / `ACTIVE`",
        "each answering and each refreshing container every 10 s",
        RECORD_READS,
        "read units a second",
        lambda plan: 0.5 * (_looks(plan) + _looks(plan, "refresh_recommendations")),
    ),
    HotKey(
        "`SEGMENT#everybody` / `LIST#version`",
        "each answering container every 10 s",
        RECORD_READS,
        "read units a second",
        lambda plan: _looks(plan) * ceil(MEASURED.list_bytes / 4_096) / 2,
    ),
    HotKey(
        "`CATALOG` / `UNAVAILABLE`, read",
        "each answering container every 10 s, the whole set",
        RECORD_READS,
        "read units a second",
        lambda plan: _looks(plan) * max(1, ceil(unavailable_bytes(plan) / 4_096)) / 2,
    ),
    HotKey(
        "`CATALOG` / `UNAVAILABLE`, written",
        "each batch of the stream with a change of availability, the whole set",
        RECORD_WRITES,
        "write units a second",
        lambda plan: _availability_batches(plan) * max(1, ceil(unavailable_bytes(plan) / 1_024)),
    ),
    HotKey(
        "`CATALOG` / `UNAVAILABLE`, size",
        "ids of all items that are not available",
        RECORD_BYTES,
        "bytes",
        unavailable_bytes,
    ),
    HotKey(
        "partition key `item:…`",
        "changes of one item of the catalogue, not what users do with it",
        float(SHARD_RECORDS),
        "records a second",
        lambda plan: 0.1 * plan.traffic.peak_factor / 86_400,
    ),
)


def _availability_batches(plan: Plan) -> float:
    """Writes of the set a second: changes that come in one batch are one write."""
    changes = plan.traffic.items * 0.01 / 86_400 * plan.traffic.peak_factor
    return max(min(changes, 1.0), changes / _BATCH)


def shard_of_key(partition_key: str, shards: int) -> int:
    """Return the shard of a partition key: Kinesis takes MD5 as a 128-bit number, and shards split its range.

    https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#partition-key
    """
    number = int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest())
    return number * shards >> _HASH_BITS


def shard_loads(
    partition_keys: Sequence[str], weights: Sequence[float], shards: int
) -> npt.NDArray[np.float64]:
    """Return how much falls on each shard. O(keys)."""
    shard = [shard_of_key(key, shards) for key in partition_keys]
    return np.bincount(shard, weights=np.asarray(weights, dtype=float), minlength=shards)


def unevenness(loads: npt.NDArray[np.float64]) -> float:
    """Return the fullest shard's load over the mean; 1 is even."""
    return float(loads.max() / loads.mean())
