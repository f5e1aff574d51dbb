"""Whether the slow loop fits into a Lambda: what its steps cost by the size of the dataset.

The costs of a unit are measured and rounded up: `PYTHONPATH=tests python -m benchmarks.steps` on an x86-64
machine of 2 cores, 24 November 2026; ten events a user, 20,000 items. *Publish*, whose time goes by lists, is
of `python -m benchmarks.unit_costs`, one list a user. Measure anew when a step changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

SIZE_FILE: Final = "size.json"


class Size(msgspec.Struct, frozen=True):
    """What the costs grow with. Users are all of the log: how many are active is not known before ranking."""

    events: int
    users: int
    items: int


@dataclass(frozen=True)
class Limits:
    """What one Lambda has."""

    seconds: float
    memory_mb: float
    scratch_mb: float


@dataclass(frozen=True)
class UnitCost:
    """What a step takes: at least, and more for each 1,000 events, users and items.

    Users beyond `most_users` cost nothing more: the step takes a sample of them.
    """

    base: float
    events: float
    users: float
    items: float
    most_users: float = float("inf")

    def of(self, size: Size) -> float:
        """Return what a dataset of a size takes."""
        users = min(size.users, self.most_users)
        return self.base + (self.events * size.events + self.users * users + self.items * size.items) / 1_000


SECONDS: Final[Mapping[str, UnitCost]] = {
    "prepare": UnitCost(2, 0.05, 0, 0.05),
    "train": UnitCost(10, 0.06, 3.5, 1.0, most_users=30_000),
    "evaluate": UnitCost(5, 0.06, 2.5, 0.5, most_users=30_000),
    "share": UnitCost(5, 0.03, 0.3, 0.2),
    "rank": UnitCost(5, 0, 2.0, 0.2),
    "publish": UnitCost(5, 0, 2.0, 0),
}
"""Of one processor; a Lambda of 3 GB has 1.7."""
MEGABYTES: Final[Mapping[str, UnitCost]] = {
    "prepare": UnitCost(80, 0.12, 4.0, 0.5),
    "train": UnitCost(200, 0.25, 28.0, 2.0, most_users=30_000),
    "evaluate": UnitCost(350, 0.25, 10.0, 4.0, most_users=30_000),
    "share": UnitCost(200, 0.10, 4.0, 2.0),
    "rank": UnitCost(250, 0, 4.0, 2.0),
    "publish": UnitCost(200, 0, 0, 0.5),
}
SCRATCH_MB: Final = UnitCost(50, 0.10, 5.0, 3.0)
"""Of the largest step, *prepare*: the lake's objects and the dataset."""
EVENT_BYTES: Final = 25
"""Of the lake, compressed, for one event: fewer than measured, so that too many events are expected."""
MARGIN: Final = 1.25
"""A Lambda's processors may be slower, and the next night is longer than the last."""


def excesses(size: Size, limits: Limits, *, shard_count: int) -> Iterator[str]:
    """Say what of the slow loop would not fit; nothing if all of it does."""
    for step in SECONDS:
        own = _share(size, shard_count) if step == "rank" else size
        yield from _excess(step, "minutes", SECONDS[step].of(own) / 60, limits.seconds / 60)
        yield from _excess(step, "MB of memory", MEGABYTES[step].of(own), limits.memory_mb)
    yield from _excess("prepare", "MB of scratch", SCRATCH_MB.of(size), limits.scratch_mb)


def lake_excesses(lake_bytes: int, limits: Limits) -> Iterator[str]:
    """Say what *prepare* would not fit, by the size of the lake alone."""
    size = Size(events=lake_bytes // EVENT_BYTES, users=0, items=0)
    yield from _excess("prepare", "minutes", SECONDS["prepare"].of(size) / 60, limits.seconds / 60)
    yield from _excess("prepare", "MB of memory", MEGABYTES["prepare"].of(size), limits.memory_mb)
    yield from _excess("prepare", "MB of scratch", lake_bytes / 1e6, limits.scratch_mb)


def _share(size: Size, shard_count: int) -> Size:
    return Size(size.events, -(-size.users // shard_count), size.items)


def _excess(step: str, unit: str, needed: float, given: float) -> Iterator[str]:
    if needed * MARGIN > given:
        yield f"{step} needs about {needed * MARGIN:,.1f} {unit}, a Lambda has {given:,.1f}"
