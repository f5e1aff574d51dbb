"""From a client's post to profiles, fresh lists and the lake."""

from collections.abc import Iterator
from math import ceil
from typing import Final

from infrastructure.cost.quantities import ASSUMED, MEASURED
from infrastructure.cost.traffic import HOURS, SECONDS, Traffic
from infrastructure.cost.usage import GB, Basis, Plan, Usage, Work, calls_of

POLL_SECONDS: Final = 1.0
FAN_OUT_SECONDS: Final = 0.07
"""How long a record waits for a poll of its shard, and for the push of enhanced fan-out."""
ARCHIVE_BATCH: Final = 5_000
SHARD_BYTES: Final = 1_000_000
SHARD_RECORDS: Final = 1_000
"""What a shard takes a second: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"""
LEAST_ON_DEMAND: Final = 4
_ON_DEMAND_ROOM: Final = 2.0
"""A stream on demand makes room for twice its highest peak."""
_RECORD_BYTES: Final = 1_024
_LONGEST_DAY: Final = 24
_BATCH_ENTRIES: Final = 10
_ITEMS_A_POST: Final = 50


def fast_loop(plan: Plan) -> Iterator[Usage]:
    """Return what events and changes of the catalogue use."""
    traffic = plan.traffic
    posts = traffic.posts + traffic.changed_items / _ITEMS_A_POST
    yield Usage("API Gateway", "posts of events", "api_request", posts, Basis.MEASURED)
    per_post = traffic.events / traffic.posts if traffic.posts else 0.0
    yield from calls_of(
        plan,
        "ingest_events",
        Work(
            calls=posts,
            processor_ms=MEASURED.post_ms + MEASURED.post_event_ms * per_post,
            wait_ms=ASSUMED.stream_ms,
            log_bytes=MEASURED.post_log_bytes,
        ),
    )
    yield from stream(plan)
    yield from _profiles(plan, per_post)
    yield from _archive(plan)
    yield from _refreshes(plan)


def shards_at_peak(traffic: Traffic) -> int:
    """Return how many shards the daily peak fills, at least one."""
    peak = traffic.peak(traffic.events)
    return max(1, ceil(peak / SHARD_RECORDS), ceil(peak * MEASURED.stream_event_bytes / SHARD_BYTES))


def shards_of(plan: Plan) -> int:
    """Return the shards of the stream: as provisioned, or as a stream on demand comes to have."""
    if plan.inventory.shards is not None:
        return plan.inventory.shards
    return max(LEAST_ON_DEMAND, ceil(shards_at_peak(plan.traffic) * _ON_DEMAND_ROOM))


def stream(plan: Plan) -> Iterator[Usage]:
    """Return what the stream uses in its own mode."""
    events = plan.traffic.events + plan.traffic.changed_items
    size = events * MEASURED.stream_event_bytes / GB
    readers = plan.inventory.fan_out_readers
    beyond = max(0, plan.inventory.retention_hours - _LONGEST_DAY)
    if plan.inventory.shards is not None:
        hours = plan.inventory.shards * HOURS
        yield Usage("Kinesis", "shards", "stream_shard_hour", hours, Basis.TEMPLATE)
        yield Usage("Kinesis", "puts", "stream_put_unit", events, Basis.MEASURED)
        yield Usage("Kinesis", "fan-out", "stream_fan_out_shard_hour", hours * readers, Basis.TEMPLATE)
        yield Usage("Kinesis", "read by fan-out", "stream_fan_out_gb", size * readers, Basis.MEASURED)
        kept = hours if beyond else 0
        yield Usage("Kinesis", "kept for days", "stream_retention_shard_hour", kept, Basis.TEMPLATE)
        return
    whole = ceil(MEASURED.stream_event_bytes / _RECORD_BYTES) * _RECORD_BYTES
    yield Usage("Kinesis", "stream on demand", "stream_on_demand_hour", HOURS, Basis.TEMPLATE)
    yield Usage("Kinesis", "in", "stream_on_demand_in_gb", events * whole / GB, Basis.MEASURED)
    polled = size * max(0, 2 - readers)
    yield Usage("Kinesis", "read", "stream_on_demand_out_gb", polled, Basis.MEASURED)
    yield Usage("Kinesis", "read by fan-out", "stream_on_demand_fan_out_gb", size * readers, Basis.MEASURED)
    held = size * beyond / HOURS
    yield Usage("Kinesis", "kept for days", "stream_on_demand_retention_gb_month", held, Basis.MEASURED)


def batches(posts: float, events: float, *, lanes: int, window: float, size: int) -> float:
    """Return how many batches a month's posts make, coming by chance to so many lanes.

    A lane waits for its next post and then for the window to pass, unless the batch is full before.

    >>> round(batches(SECONDS, SECONDS, lanes=1, window=0.0, size=500) / SECONDS, 3)
    1.0
    >>> round(batches(SECONDS * 99, SECONDS * 99, lanes=1, window=1.0, size=500) / SECONDS, 3)
    0.99
    """
    if not posts:
        return 0.0
    rate = posts / SECONDS / lanes
    return max(lanes * SECONDS / (window + 1 / rate), events / size)


def fold_batches(plan: Plan, window: float | None = None) -> float:
    """Return the batches of `update_profiles` in a month; `window` instead of the environment's."""
    stream = plan.environment.stream
    waits = FAN_OUT_SECONDS if plan.inventory.fan_out_readers else POLL_SECONDS
    return batches(
        plan.traffic.posts,
        plan.traffic.events,
        lanes=shards_of(plan) * stream.profile_batches_per_shard,
        window=max(waits, stream.profile_window_seconds if window is None else window),
        size=stream.profile_batch,
    )


def fold_work(plan: Plan, calls: float) -> Work:
    """Return what a batch of `update_profiles` takes; each post is of one user, whose profile is written."""
    users = plan.traffic.posts / calls if calls else 0.0
    events = plan.traffic.events / calls if calls else 0.0
    processor = MEASURED.fold_ms + MEASURED.fold_user_ms * users + MEASURED.fold_event_ms * events
    waits = ASSUMED.table_read_ms + ASSUMED.table_write_ms * ceil(users / ASSUMED.writers) + ASSUMED.queue_ms
    return Work(calls=calls, processor_ms=processor, wait_ms=waits, log_bytes=MEASURED.fold_log_bytes)


def _profiles(plan: Plan, per_post: float) -> Iterator[Usage]:
    traffic = plan.traffic
    calls = fold_batches(plan)
    yield from calls_of(plan, "update_profiles", fold_work(plan, calls))
    reads = traffic.posts * MEASURED.fold_read_units + traffic.changed_items * MEASURED.item_read_units
    writes = traffic.posts * MEASURED.fold_write_units
    consents = traffic.posts * MEASURED.post_read_units
    yield Usage("DynamoDB", "consents read", "table_read_unit", consents, Basis.MEASURED)
    yield Usage("DynamoDB", "profiles read to be changed", "table_read_unit", reads, Basis.MEASURED)
    yield Usage("DynamoDB", "profiles written", "table_write_unit", writes, Basis.MEASURED)
    items = traffic.changed_items * MEASURED.item_write_units
    yield Usage("DynamoDB", "items written", "table_write_unit", items, Basis.MEASURED)
    sends = min(traffic.refreshes, max(calls, traffic.refreshes / _BATCH_ENTRIES)) if per_post else 0.0
    yield Usage("SQS", "refreshes queued", "queue_request", sends, Basis.MEASURED)


def archive_batches(plan: Plan) -> float:
    """Return the batches of `archive_events` in a month."""
    window = max(POLL_SECONDS, plan.environment.stream.archive_window_seconds)
    return batches(
        plan.traffic.posts, plan.traffic.events, lanes=shards_of(plan), window=window, size=ARCHIVE_BATCH
    )


def _archive(plan: Plan) -> Iterator[Usage]:
    traffic = plan.traffic
    calls = archive_batches(plan)
    events = traffic.events / calls if calls else 0.0
    work = Work(
        calls=calls,
        processor_ms=MEASURED.archive_ms + MEASURED.archive_event_ms * events,
        wait_ms=ASSUMED.object_ms,
        log_bytes=MEASURED.archive_log_bytes,
    )
    yield from calls_of(plan, "archive_events", work)
    yield Usage("S3", "batches of events", "objects_put", calls, Basis.MEASURED)
    kept = traffic.events * traffic.history_months * MEASURED.lake_event_bytes / GB
    yield Usage("S3", "events kept", "objects_gb_month", kept, Basis.MEASURED)


def refresh_work(plan: Plan) -> Work:
    """Return what the calls of `refresh_recommendations` take; a message rebuilds a list a surface."""
    messages = min(ASSUMED.messages_a_call, _BATCH_ENTRIES)
    surfaces = plan.traffic.surfaces
    waits = 2 * ASSUMED.table_read_ms + surfaces * ASSUMED.table_write_ms
    return Work(
        calls=plan.traffic.refreshes / messages,
        processor_ms=messages * surfaces * MEASURED.refresh_ms,
        wait_ms=messages * waits,
        log_bytes=MEASURED.refresh_log_bytes,
        start_ms=ASSUMED.ranking_start_ms,
    )


def _refreshes(plan: Plan) -> Iterator[Usage]:
    traffic = plan.traffic
    work = refresh_work(plan)
    yield from calls_of(plan, "refresh_recommendations", work)
    yield Usage("SQS", "refreshes taken and deleted", "queue_request", 2 * work.calls, Basis.MEASURED)
    another = ceil(MEASURED.list_bytes / 4_096) / 2
    reads = traffic.refreshes * (MEASURED.refresh_read_units + (traffic.surfaces - 1) * another)
    writes = traffic.refreshes * traffic.surfaces * MEASURED.refresh_write_units
    yield Usage("DynamoDB", "read to refresh lists", "table_read_unit", reads, Basis.MEASURED)
    yield Usage("DynamoDB", "lists refreshed", "table_write_unit", writes, Basis.MEASURED)
