"""A simulation of what the model plans: posts, shards, batches, and the rebuilding of lists, call by call.

Shards do not touch each other, so one stands for all: it gets its part of the posts, and its part of the
copies of `refresh_recommendations`. What is drawn comes from a seed; equal seeds give equal figures.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.cost.fast_loop import FAN_OUT_SECONDS, POLL_SECONDS, SHARD_RECORDS, shards_of
from infrastructure.cost.quantities import ASSUMED, MEASURED
from infrastructure.cost.usage import Plan, milliseconds

MINUTES: Final = 10
BURST_MINUTES: Final = (4, 6)
"""[from, to): so long do so many more come than at the daily peak."""
BURST: Final = 3.0
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Simulated:
    """How long it took from an event's arrival, at the peak and in a burst.

    Attributes
    ----------
    profile_p95, list_p95
        Seconds to the written profile, and from an act to the rebuilt list, without the burst.
    burst_list_p95
        The same for acts in the burst.
    backlog
        Posts that wait in the stream when the burst ends, of the shard.
    drained_after
        Seconds after the burst until acts find their lists as fast as before.
    refused
        Share of the burst's events beyond what the shard takes; clients are told to send them again.
    """

    profile_p95: float
    list_p95: float
    burst_list_p95: float
    backlog: int
    drained_after: float
    refused: float


def simulate(plan: Plan, *, refreshing: float, seed: int = 1) -> Simulated:
    """Play ten minutes of the daily peak with a burst in them, on one shard.

    Cost: O(posts of the shard), about a second for a full one.

    Parameters
    ----------
    refreshing
        Copies of `refresh_recommendations` for all shards together.
    """
    chance = np.random.default_rng(seed)
    traffic = plan.traffic
    per_post = traffic.events / traffic.posts
    shards = shards_of(plan)
    asked = arrivals(traffic.peak(traffic.posts) / shards, chance)
    came, refused = admitted(asked, per_post)
    written = _written(plan, came, per_post, chance)
    acting = chance.random(len(came)) < traffic.refreshes / traffic.posts
    queued = written[acting] + ASSUMED.queue_ms / 1_000
    copies = max(1, round(refreshing / shards))
    rebuilt = served(queued, refresh_seconds(plan), copies)
    lag = rebuilt - came[acting]
    calm = came < BURST_MINUTES[0] * 60
    burst = (came >= BURST_MINUTES[0] * 60) & (came < BURST_MINUTES[1] * 60)
    end = BURST_MINUTES[1] * 60
    usual = float(np.quantile(lag[calm[acting]], 0.95)) if calm[acting].any() else 0.0
    slow = came[acting][(came[acting] >= end) & (lag > 2 * usual)]
    return Simulated(
        profile_p95=float(np.quantile((written - came)[calm], 0.95)) if calm.any() else 0.0,
        list_p95=usual,
        burst_list_p95=float(np.quantile(lag[burst[acting]], 0.95)) if burst[acting].any() else 0.0,
        backlog=int(((came < end) & (written > end)).sum()),
        drained_after=float(slow.max() - end) if len(slow) else 0.0,
        refused=refused,
    )


def arrivals(rate: float, chance: np.random.Generator) -> Seconds:
    """Draw when posts come: by chance, `rate` a second, and `BURST` times as many in the burst."""
    whole = []
    for minute in range(MINUTES):
        factor = BURST if BURST_MINUTES[0] <= minute < BURST_MINUTES[1] else 1.0
        count = chance.poisson(rate * 60 * factor)
        whole.append(minute * 60 + np.sort(chance.random(count)) * 60)
    return np.concatenate(whole)


def admitted(asked: Seconds, per_post: float) -> tuple[Seconds, float]:
    """Return the posts that a shard takes, second by second, and the share that it refuses."""
    if not len(asked):
        return asked, 0.0
    most = int(SHARD_RECORDS / per_post)
    second = asked.astype(int)
    first = np.searchsorted(second, second)
    taken = np.arange(len(asked)) - first < most
    return asked[taken], 1 - float(taken.mean())


def _written(plan: Plan, came: Seconds, per_post: float, chance: np.random.Generator) -> Seconds:
    """Return when each post's profile is written, lane by lane."""
    stream = plan.environment.stream
    lane = chance.integers(stream.profile_batches_per_shard, size=len(came))
    seen = came + (FAN_OUT_SECONDS if plan.inventory.fan_out_readers else POLL_SECONDS)
    most = max(1, int(stream.profile_batch / per_post))
    memory = plan.inventory.functions["update_profiles"].memory_mb

    def seconds(posts: int) -> float:
        processor = MEASURED.fold_ms + (MEASURED.fold_user_ms + MEASURED.fold_event_ms * per_post) * posts
        waits = ASSUMED.table_read_ms + ASSUMED.table_write_ms * -(-posts // int(ASSUMED.writers))
        return milliseconds(memory, processor, waits) / 1_000

    written = np.empty(len(came))
    for number in range(stream.profile_batches_per_shard):
        rows = np.flatnonzero(lane == number)
        written[rows] = batched_in_turn(seen[rows], stream.profile_window_seconds, most, seconds)
    return written


def batched_in_turn(seen: Seconds, window: float, most: int, seconds: Callable[[int], float]) -> Seconds:
    """Return when each of a lane's posts is done: one batch at a time, as Lambda's mapping collects them.

    A batch is handed over when it is full, or when the window since its first post has passed; what waited
    for the batch before goes at once. O(posts).
    """
    done = np.empty(len(seen))
    first, free = 0, 0.0
    while first < len(seen):
        handed = max(free, seen[first] + window)
        last = min(int(np.searchsorted(seen, handed, side="right")), first + most)
        if last - first == most:
            handed = max(free, float(seen[last - 1]))
        free = handed + seconds(last - first)
        done[first:last] = free
        first = last
    return done


def refresh_seconds(plan: Plan) -> float:
    """Return how long one message of `refresh_recommendations` takes."""
    work = refresh_work_of_one(plan)
    return milliseconds(plan.inventory.functions["refresh_recommendations"].memory_mb, *work) / 1_000


def refresh_work_of_one(plan: Plan) -> tuple[float, float]:
    """Return processor and waiting milliseconds of one message."""
    surfaces = plan.traffic.surfaces
    waits = 2 * ASSUMED.table_read_ms + surfaces * ASSUMED.table_write_ms
    return surfaces * MEASURED.refresh_ms, waits


def served(queued: Seconds, seconds: float, copies: int) -> Seconds:
    """Return when each message is done by so many copies, in the order in which it was queued.

    O(messages x log copies).
    """
    free = [0.0] * copies
    done = np.empty(len(queued))
    for row in np.argsort(queued, kind="stable").tolist():
        begun = max(heapq.heappop(free), queued[row])
        done[row] = begun + seconds
        heapq.heappush(free, done[row])
    return done
