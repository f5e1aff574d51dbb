"""What a month's traffic takes at its daily peak, and where it meets a limit: arithmetic, O(1) a plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from infrastructure.capacity.quotas import Limit
from infrastructure.cost.fast_loop import (
    archive_batches,
    fold_batches,
    fold_work,
    refresh_work,
    shards_of,
)
from infrastructure.cost.nights import step_megabytes, step_seconds, stored_bytes
from infrastructure.cost.quantities import ASSUMED, MEASURED
from infrastructure.cost.read_path import CACHE_SECONDS, answer_ms, deliveries
from infrastructure.cost.traffic import MOST_USERS
from infrastructure.cost.usage import GB, Plan, Work, milliseconds
from infrastructure.fields import SageMakerEngine

UNAVAILABLE_SHARE: Final = 0.01
"""Of the catalogue's items, assumed; and that each changes its mind once a day."""
ID_BYTES: Final = 12
JOB_HOURS: Final = 4.0
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Needs:
    """What a plan needs at its daily peak, and of a night.

    Attributes
    ----------
    night_hours, night_gigabytes
        By step, of one instance.
    ranking_instances
        So many rank all users within the hours that a job may take.
    """

    events: float
    requests: float
    shards: int
    concurrency: float
    answering: float
    refreshing: float
    writes: float
    reads: float
    table_gigabytes: float
    lake_gigabytes: float
    night_hours: Mapping[str, float]
    night_gigabytes: Mapping[str, float]
    ranking_instances: int


def needs(plan: Plan) -> Needs:
    """Return what a plan needs."""
    traffic = plan.traffic
    at_once = concurrency(plan)
    hours = {step: seconds / 3_600 for step, seconds in step_seconds(traffic).items()}
    shards = plan.environment.training.ranking_shards
    gigabytes = {step: size / 1_000 for step, size in step_megabytes(traffic, shards).items()}
    profiles, lists = stored_bytes(traffic)
    lake = traffic.events * MEASURED.lake_event_bytes + traffic.requests * MEASURED.exposure_bytes
    engine = plan.environment.training.engine
    instances = engine.ranking_instances if isinstance(engine, SageMakerEngine) else 1
    return Needs(
        events=traffic.peak(traffic.events),
        requests=traffic.peak(traffic.requests + traffic.posts),
        shards=shards_of(plan),
        concurrency=sum(at_once.values()),
        answering=at_once["get_recommendations"],
        refreshing=at_once["refresh_recommendations"],
        writes=_writes(plan),
        reads=_reads(plan, at_once["get_recommendations"]),
        table_gigabytes=(profiles + lists) / GB,
        lake_gigabytes=lake * traffic.history_months / GB,
        night_hours=hours,
        night_gigabytes=gigabytes,
        ranking_instances=max(instances, ceil(hours.get("rank", 0.0) / JOB_HOURS)),
    )


def concurrency(plan: Plan) -> Mapping[str, float]:
    """Return calls at once at the daily peak, by function (Little's law: rate times duration)."""
    traffic = plan.traffic
    lines = traffic.requests / deliveries(plan) if traffic.requests else 0.0
    batches = archive_batches(plan)
    per_batch = traffic.events / batches if batches else 0.0
    per_post = traffic.events / traffic.posts if traffic.posts else 0.0
    work = {
        "ingest_events": Work(
            calls=traffic.posts,
            processor_ms=MEASURED.post_ms + MEASURED.post_event_ms * per_post,
            wait_ms=ASSUMED.stream_ms,
        ),
        "update_profiles": fold_work(plan, fold_batches(plan)),
        "archive_events": Work(
            calls=batches,
            processor_ms=MEASURED.archive_ms + MEASURED.archive_event_ms * per_batch,
            wait_ms=ASSUMED.object_ms,
        ),
        "refresh_recommendations": refresh_work(plan),
        "archive_exposures": Work(
            calls=deliveries(plan),
            processor_ms=MEASURED.deliver_ms + MEASURED.deliver_line_ms * lines,
            wait_ms=ASSUMED.object_ms,
        ),
    }
    found = {name: _at_once(plan, name, one) for name, one in work.items()}
    return found | {"get_recommendations": traffic.peak(traffic.requests) * answer_ms(plan) / 1_000}


def _at_once(plan: Plan, name: str, work: Work) -> float:
    memory = plan.inventory.functions[name].memory_mb
    return plan.traffic.peak(work.calls) * milliseconds(memory, work.processor_ms, work.wait_ms) / 1_000


def _writes(plan: Plan) -> float:
    """Write units a second: acts at their peak while a night publishes as fast as it can."""
    traffic = plan.traffic
    live = traffic.posts * MEASURED.fold_write_units
    live += traffic.refreshes * traffic.surfaces * MEASURED.refresh_write_units
    publishing = MEASURED.list_write_units * 1_000 / MEASURED.publish_list_ms if traffic.lists else 0.0
    return traffic.peak(live) + publishing


def _reads(plan: Plan, containers: float) -> float:
    traffic = plan.traffic
    live = traffic.posts * MEASURED.fold_read_units + traffic.requests * MEASURED.answer_read_units
    live += traffic.refreshes * MEASURED.refresh_read_units
    return traffic.peak(live) + containers * MEASURED.shared_read_units / CACHE_SECONDS


def unavailable_bytes(plan: Plan) -> float:
    """Return the size of the one record that names the items which are not available."""
    return plan.traffic.items * UNAVAILABLE_SHARE * ID_BYTES


def uses(plan: Plan) -> Mapping[str, float]:
    """Return how much of each limit a plan uses, by the limit's name."""
    need = needs(plan)
    traffic = plan.traffic
    size = unavailable_bytes(plan)
    changes = traffic.items * UNAVAILABLE_SHARE / _DAY * traffic.peak_factor
    hours = dict(need.night_hours)
    engine = plan.environment.training.engine
    if isinstance(engine, SageMakerEngine):
        hours["rank"] = hours.get("rank", 0.0) / engine.ranking_instances
    looking = (need.answering + need.refreshing) / CACHE_SECONDS
    return {
        "api_requests": need.requests,
        "stage_requests": need.requests,
        "lambda_concurrency": need.concurrency,
        "refreshes_at_once": need.refreshing,
        "stream_megabytes": need.events * MEASURED.stream_event_bytes / 1e6,
        "shard_records": need.events / need.shards,
        "table_writes": need.writes,
        "table_reads": need.reads,
        "record_reads": looking * max(1.0, size / 8_192),
        "record_writes": changes * max(1.0, size / 1_024),
        "record_bytes": size,
        "job_hours": max(hours.values()),
        "instance_gigabytes": max(need.night_gigabytes.values()),
    }


def binding(plan: Plan, limits: Mapping[str, Limit]) -> tuple[str, float]:
    """Return that of some limits which is used the most, and how far; 1 is all of it."""
    used = uses(plan)
    name = max(limits, key=lambda limit: used[limit] / limits[limit].limit)
    return name, used[name] / limits[name].limit


def reached_at(name: str, at: Callable[[int], Plan], limit: Limit) -> int | None:
    """Return the monthly users at which a limit is reached, to a hundredth; None if that is nobody's size.

    Cost: about 40 plans.
    """
    if uses(at(MOST_USERS))[name] < limit.limit:
        return None
    low, high = 0, MOST_USERS
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if uses(at(middle))[name] >= limit.limit else (middle, high)
    return high


def sized(plan: Plan) -> Callable[[int], Plan]:
    """Return what makes the plan one of other users."""
    return lambda users: replace(plan, traffic=replace(plan.traffic, monthly_users=users))
