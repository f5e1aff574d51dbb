"""``python -m benchmarks.unit_costs``: what a post, an event, an answer, a refresh and a night take.

Drives the real handlers over moto with the log of a synthetic shop, each event received when it happened, and
prints the figures beside those of `infrastructure.cost.quantities`. Milliseconds are of this machine's
processor; all else hardly differs from run to run.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

import conftest  # noqa: F401 - names this process's account before any client is made
from benchmarks.meter import Metered, metered
from factories import delivered, lambda_of
from functions.archive_events.handler import handler as archive_events
from functions.archive_exposures.handler import handler as archive_exposures
from functions.get_recommendations.dependencies import dependencies as answering
from functions.get_recommendations.handler import handler as get_recommendations
from functions.ingest_events.handler import handler as ingest_events
from functions.put_items.handler import handler as put_items
from functions.refresh_recommendations.handler import handler as refresh_recommendations
from functions.run_training_step.handler import handler as run_training_step
from functions.update_profiles.handler import handler as update_profiles
from infrastructure.cost.quantities import MEASURED, Measured
from integration.conftest import CONTEXT, Platform, deployed
from personalization.errors import InvalidInput
from personalization.events import decode_client_event
from training.shop import Shop
from training.synthetic import simulate

ITEMS: Final = 300
DAYS: Final = 60
POST: Final = 5
BATCH: Final = 100
SHARDS: Final = 2
LINES: Final = 20
REPEATS: Final = 4
REFRESHED: Final = 25
DELIBERATE: Final = ("click", "add_to_cart", "purchase", "rating", "like")
Json = dict[str, Any]


@dataclass
class Shift:
    """A shop whose history is played to the handlers, and a clock that goes with it."""

    platform: Platform
    users: int
    now: datetime
    shop: Shop = field(init=False)
    clock: datetime = field(init=False)
    posts: list[list[bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self.shop = Shop.open(seed=1, users=self.users, items=ITEMS)
        by_user: dict[str, list[bytes]] = {}
        for line in simulate(self.shop, days=DAYS, seed=1, end=self.now):
            try:
                by_user.setdefault(decode_client_event(line).user_id, []).append(line)
            except InvalidInput:
                continue
        posts = [list(post) for lines in by_user.values() for post in batched(lines, POST, strict=False)]
        self.posts = sorted(posts, key=_happened)
        self.clock = self.now

    def post(self, lines: Sequence[bytes]) -> Metered:
        """Send events a second after the last of them happened."""
        self.clock = _happened(lines) + timedelta(seconds=1)
        with metered() as found:
            answer = ingest_events({"headers": {}, "body": _array(lines)}, CONTEXT)
        assert answer["statusCode"] == 202, answer
        return found

    def fold(self, records: Sequence[Json]) -> Metered:
        """Apply records of the stream."""
        with metered() as found:
            assert update_profiles({"Records": records}, CONTEXT) == {"batchItemFailures": []}
        return found

    def answer(self, user: str) -> tuple[Metered, Json]:
        """Ask for recommendations."""
        asked = {"headers": {}, "pathParameters": {"user_id": user}, "queryStringParameters": None}
        with metered() as found:
            answer = get_recommendations(asked, CONTEXT)
        return found, answer

    def step(self, name: str, **more: Any) -> tuple[Metered, Mapping[str, Any]]:
        """Run a step of the night that follows."""
        night = (self.now + timedelta(minutes=1)).isoformat()
        event = {"step": name, "run_id": "night", "now": night, "shard_count": SHARDS, **more}
        with metered() as found:
            answer = run_training_step(event, lambda_of())
        return found, answer


def measure(*, users: int = 150, trees: int | None = None) -> Measured:
    """Play a shop's history, a night and the day after; `trees` makes the model smaller than by default."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, deployed(patch) as platform:
        patch.setattr("functions.refresh_recommendations.models.gettempdir", lambda: folder)
        shift = Shift(platform, users, datetime.now(UTC))
        for module in ("ingest_events.handler", "update_profiles.dependencies"):
            patch.setattr(f"functions.{module}.now", lambda: shift.clock)
        figures = {
            **_posts(shift),
            **_items(shift),
            **_batches(shift),
            **_night(shift, {} if trees is None else {"trees": trees}),
            **_answers(shift),
            **_refreshes(shift),
        }
    return Measured(**figures)


def _posts(shift: Shift) -> dict[str, float]:
    posts = [shift.post(lines) for lines in shift.posts][1:]
    base, event = _line(
        (1, [shift.post(shift.posts[-1][:1]).cpu_seconds for _ in range(REPEATS)]),
        (100, [shift.post(shift.posts[-1][:1] * 100).cpu_seconds for _ in range(REPEATS)]),
    )
    return {
        "stream_event_bytes": mean(size for post in posts for size in post.stream_bytes),
        "post_calls": mean(post.calls["PutRecords"] for post in posts),
        "post_read_units": max(post.read_units for post in posts),
        "post_ms": base,
        "post_event_ms": event,
        "post_log_bytes": mean(post.log_bytes for post in posts),
    }


def _items(shift: Shift) -> dict[str, float]:
    items = [msgspec.json.encode(item) for item in shift.shop.catalogue()]
    put_items({"headers": {}, "body": _array(items)}, CONTEXT)
    records = [row for row in shift.platform.stream_records() if _key(row).startswith("item:")]
    found = shift.fold(records)
    return {
        "item_read_units": found.read_units / len(records),
        "item_write_units": found.write_units / len(records),
    }


def _batches(shift: Shift) -> dict[str, float]:
    records = [row for row in shift.platform.stream_records() if not _key(row).startswith("item:")]
    batches = [list(rows) for rows in batched(records, BATCH, strict=False)]
    folds = []
    for rows in batches:
        shift.clock = _happened([b64decode(rows[-1]["kinesis"]["data"])]) + timedelta(seconds=1)
        folds.append((len({_key(row) for row in rows}), shift.fold(rows)))
    settled = folds[len(folds) // 2 :]
    users = sum(count for count, _ in settled)
    profiles = [size for _, fold in settled for size in fold.written["PROFILE"]]
    archives = [_archive(rows) for rows in batched(records, 2_000, strict=False)]
    objects = sum(size for archive in archives for size in archive.object_bytes)
    base, event = _line(
        *((count, [_archive(records[:count]).cpu_seconds for _ in range(REPEATS)]) for count in (1, 2_000))
    )
    return {
        **_fold_times(shift, records[-1]),
        "fold_read_units": sum(fold.read_units for _, fold in settled) / users,
        "fold_write_units": sum(fold.write_units for _, fold in settled) / users,
        "fold_log_bytes": median(len(fold.lines[-1]) for _, fold in settled),
        "profile_bytes": mean(profiles),
        "archive_ms": base,
        "archive_event_ms": event,
        "archive_log_bytes": mean(archive.log_bytes for archive in archives),
        "lake_event_bytes": objects / len(records),
    }


def _fold_times(shift: Shift, record: Json) -> dict[str, float]:
    """Time batches of new users: one event, forty users of an event each, a hundred events of one user."""
    event = msgspec.json.decode(b64decode(record["kinesis"]["data"]))

    def seconds(users: int, events: int, number: int) -> float:
        rows = [
            _record(
                record,
                event | {"user_key": f"{users}-{events}-{number}-{user}", "event_id": f"new-{act}"},
                act,
            )
            for user in range(users)
            for act in range(events)
        ]
        return shift.fold(rows).cpu_seconds

    one, wide, long = (
        min(seconds(users, events, number) for number in range(REPEATS)) * 1_000
        for users, events in ((1, 1), (40, 1), (1, 100))
    )
    per_event = max(0.0, (long - one) / 99)
    per_user = max(0.0, (wide - one) / 39 - per_event)
    return {
        "fold_ms": max(0.0, one - per_user - per_event),
        "fold_user_ms": per_user,
        "fold_event_ms": per_event,
    }


def _night(shift: Shift, hyperparameters: Json) -> dict[str, float]:
    records = shift.platform.stream_records()
    for rows in batched(records, 5_000, strict=False):
        _archive(rows)
    champion, _ = shift.step("champion")
    prepare, prepared = shift.step("prepare")
    whole = [champion, prepare, shift.step("soundness")[0]]
    whole += [
        shift.step(name, **more)[0]
        for name, more in (("train", {"hyperparameters": hyperparameters}), ("evaluate", {}), ("gate", {}))
    ]
    shards = [shift.step("rank", shard=shard)[0] for shard in prepared["shards"]]
    whole.append(shift.step("share")[0])
    publish, _ = shift.step("publish")
    whole.append(publish)
    lists = publish.written["LIST"]
    return {
        "night_puts": sum(step.calls["PutObject"] for step in whole),
        "night_gets": sum(step.calls["GetObject"] for step in whole),
        "night_shard_puts": mean(step.calls["PutObject"] for step in shards),
        "night_shard_gets": mean(step.calls["GetObject"] for step in shards),
        "night_lists": sum(step.calls["ListObjectsV2"] for step in (*whole, *shards)),
        "night_log_bytes": sum(step.log_bytes for step in (*whole, *shards)),
        "publish_list_ms": publish.cpu_seconds * 1_000 / len(lists),
        "list_bytes": mean(lists),
        "list_write_units": publish.write_units / len(lists),
    }


def _answers(shift: Shift) -> dict[str, float]:
    users = list(dict.fromkeys(json.loads(post[0])["user_id"] for post in shift.posts))
    shift.answer(users[0])
    answers = [shift.answer(user) for user in users]
    answering().recommender().shared.read_at = float("-inf")
    with_shared, _ = shift.answer(users[0])
    alone = median(found.read_units for found, _ in answers)
    exposures = [next(line for line in found.lines if '"exposure"' in line) for found, _ in answers]
    deliveries = [_deliver(lines) for lines in batched(exposures, LINES, strict=False) if len(lines) == LINES]
    base, line = _line(
        *(
            (len(lines), [_deliver(lines).cpu_seconds for _ in range(REPEATS)])
            for lines in (exposures[:1], exposures)
        )
    )
    return {
        "answer_ms": median(found.cpu_seconds for found, _ in answers) * 1_000,
        "answer_read_units": alone,
        "shared_read_units": with_shared.read_units - alone,
        "answer_log_bytes": mean(found.log_bytes for found, _ in answers),
        "answer_log_lines": mean(len(found.lines) for found, _ in answers),
        "answer_bytes": mean(len(answer["body"]) for _, answer in answers),
        "deliver_ms": base,
        "deliver_line_ms": line,
        "deliver_log_bytes": mean(found.log_bytes for found in deliveries),
        "exposure_bytes": mean(sum(found.object_bytes) / LINES for found in deliveries),
    }


def _refreshes(shift: Shift) -> dict[str, float]:
    """Let users act once more, and rebuild their lists."""
    before = len(shift.platform.stream_records())
    users = list(dict.fromkeys(json.loads(post[0])["user_id"] for post in shift.posts))[:REFRESHED]
    acts = [json.loads(line) for post in shift.posts for line in post]
    clicks = {act["user_id"]: act for act in acts if act["event_type"] in DELIBERATE}
    for number, user in enumerate(users):
        again = clicks.get(user, next(iter(clicks.values())))
        at = (shift.now + timedelta(minutes=2)).isoformat()
        shift.post(
            [msgspec.json.encode(again | {"event_id": f"again-{number}", "user_id": user, "occurred_at": at})]
        )
    records = shift.platform.stream_records()[before:]
    shift.fold(records)
    rebuilt = [found for found in map(_refresh, map(_key, records)) if found.written][1:]
    return {
        "refresh_ms": median(found.cpu_seconds for found in rebuilt) * 1_000,
        "refresh_read_units": median(found.read_units for found in rebuilt),
        "refresh_write_units": median(found.write_units for found in rebuilt),
        "refresh_log_bytes": mean(found.log_bytes for found in rebuilt),
    }


def _archive(records: Sequence[Json]) -> Metered:
    with metered() as found:
        archive_events({"Records": records}, CONTEXT)
    return found


def _deliver(lines: Sequence[str]) -> Metered:
    with metered() as found:
        archive_exposures(delivered(*lines), CONTEXT)
    return found


def _refresh(user_key: str) -> Metered:
    body = json.dumps({"user_key": user_key, "surfaces": ["home"]})
    sent = {"SentTimestamp": "1768478400000"}
    with metered() as found:
        refresh_recommendations({"Records": [{"messageId": "m", "body": body, "attributes": sent}]}, CONTEXT)
    return found


def _record(like: Json, event: Json, number: int) -> Json:
    """Make a record of the stream as Lambda hands it over."""
    kinesis = like["kinesis"] | {
        "sequenceNumber": str(number + 1),
        "partitionKey": event["user_key"],
        "data": b64encode(msgspec.json.encode(event)).decode(),
    }
    return like | {"kinesis": kinesis}


def _line(few: tuple[int, list[float]], many: tuple[int, list[float]]) -> tuple[float, float]:
    """Return milliseconds at no unit at all and for each one, from the quickest of each sort."""
    slope = max(0.0, (min(many[1]) - min(few[1])) / (many[0] - few[0]))
    return max(0.0, min(few[1]) - slope * few[0]) * 1_000, slope * 1_000


def _array(entries: Sequence[bytes]) -> str:
    return f"[{','.join(entry.decode() for entry in entries)}]"


def _happened(lines: Sequence[bytes]) -> datetime:
    return datetime.fromisoformat(json.loads(lines[-1])["occurred_at"])


def _key(record: Json) -> str:
    return record["kinesis"]["partitionKey"]


def main() -> int:
    """Print each figure as measured now and as stated."""
    table = Table("figure", "measured", "stated", title="unit costs")
    stated = asdict(MEASURED)
    for name, value in asdict(measure()).items():
        table.add_row(name, f"{value:,.3f}", f"{stated[name]:,.3f}")
    Console(highlight=False).print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
