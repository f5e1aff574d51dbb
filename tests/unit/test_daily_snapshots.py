"""Daily snapshots: a night that begins with one makes the bytes that the whole lake would make."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import event
from personalization.archiving import LakeLine, pack
from personalization.events import Context, Event, Item, encode_event, upsert_item
from personalization.keys import MANIFEST, event_object, imported_object
from training import history as histories
from training.dataset import Dataset, make_dataset, save_dataset
from training.history import History
from training.inventory import damage, digest_of, objection, read_manifest
from training.preparation import NeedsHistoryError, Night, prepare
from training.sources import lake_days, lake_events
from training.split import Split

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KINDS = ("click", "purchase", "rating", "dislike", "impression", "view")


class Lake:
    """A folder of lake objects, filled as archiver and import fill it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder / "lake"
        self.folder.mkdir()
        self._random = Random(seed)
        self._number = 0
        self._old: list[LakeLine] = []

    def stream(self, day: datetime, events: int) -> None:
        """A day's batches: some records overlap, some arrive after midnight or were late, ids repeat."""
        lines = sorted((self._line(day) for _ in range(events)), key=lambda line: line.arrived_at)
        self._old += lines
        for start in range(0, len(lines), 4):
            batch = lines[max(start - self._random.randint(0, 1), 0) : start + 4]
            batch += self._random.sample(self._old[-8:], k=min(1, len(self._old)))
            self._put(event_object(day, epoch=1, shard="s", first_sequence=batch[0].sequence_number), batch)

    def history(self, day: datetime, events: int) -> None:
        """An import, filed under the day it was made on, of events that go back six weeks; in no order."""
        lines = []
        for place in range(events):
            name = f"import-1-event-{place}"
            at = day - self._random.random() * 42 * DAY
            lines.append(LakeLine(name, day, msgspec.Raw(encode_event(self._event(at, at)))))
        self._put(imported_object(day, digest=f"{self._random.random()}"), lines)

    def _line(self, day: datetime) -> LakeLine:
        received = day + self._random.random() * DAY
        occurred = received - self._random.choice((0, 0, 0, 3, 9)) * self._random.random() * DAY
        self._number += 1
        if self._random.random() < 0.05:
            return LakeLine(str(self._number), received, raw=b"nonsense")
        if self._random.random() < 0.1:
            item = Item(item_id=f"sku-{self._random.randint(0, 12)}", title=f"v{self._number}")
            made = upsert_item(item, event_id=str(self._number), received_at=received)
        else:
            made = self._event(occurred, received)
        arrived = received + self._random.choice((0, 0, 20)) * timedelta(minutes=1)
        return LakeLine(str(self._number), arrived, msgspec.Raw(encode_event(made)))

    def _event(self, occurred: datetime, received: datetime) -> Event:
        pick = self._random
        if pick.random() < 0.02:
            user, visitor = pick.sample(range(6), 2)
            return event(
                "identify",
                None,
                user_key=f"user-{user}",
                visitor_key=f"user-{visitor}",
                event_id=f"e{pick.randint(0, 150)}",
                occurred_at=occurred,
                received_at=received,
            )
        user = f"user-{pick.randint(0, 7)}"
        if user == "user-6":
            word = pick.choice(("none", "functional", "personalization"))
            return event(
                "consent_changed",
                None,
                consent=word,
                since=0 if word == "personalization" else pick.randint(1, 3),
                user_key="user-7",
                event_id=f"word-{pick.randint(0, 150)}",
                occurred_at=occurred,
                received_at=received,
            )
        nobody = pick.random() < 0.1
        return event(
            pick.choice(KINDS),
            f"sku-{pick.randint(0, 200)}",
            user_key="" if nobody else user,
            anonymous=nobody,
            since=pick.randint(0, 3) if user == "user-7" and not nobody else 0,
            event_id=f"e{pick.randint(0, 150)}",
            occurred_at=occurred,
            received_at=received,
            value=float(pick.randint(1, 5)),
            bot=pick.random() < 0.05,
        )

    def _put(self, key: str, lines: Sequence[LakeLine]) -> None:
        path = self.folder / key.removeprefix("events/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(lines))

    @property
    def inventory(self) -> dict[date, str]:
        return {
            day: digest_of((path.name, str(path.stat().st_size)) for path in paths)
            for day, paths in lake_days(self.folder).items()
        }

    def since(self, day: date | None, target: Path) -> Path:
        """Copy the days after one, as a night fetches them."""
        rmtree(target, ignore_errors=True)
        for found, paths in lake_days(self.folder).items():
            for path in paths if day is None or found > day else ():
                copy = target / path.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        return target


def usable(snapshots: Path, inventory: dict[date, str]) -> Iterator[tuple[date, Path]]:
    """The snapshots a night may begin with, the newest first."""
    for folder in sorted(snapshots.glob("date=*"), reverse=True):
        manifest = read_manifest(folder / MANIFEST)
        if manifest and not objection(manifest, inventory) and not damage(manifest, folder):
            yield manifest.through, folder


def night(lake: Lake, work: Path, now: datetime) -> tuple[Dataset, date | None]:
    """Run a night from the newest snapshot; tell which it was."""
    inventory = lake.inventory
    through, snapshot = next(usable(work / "snapshots", inventory), (None, None))
    events = lake.since(through, work / "fetched")
    dataset, _ = prepare(Night(events, snapshot, inventory, now), Split.TIME, work / "snapshots")
    return dataset, through


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def saved(dataset: Dataset, folder: Path) -> dict[str, bytes]:
    save_dataset(dataset, folder)
    return contents(folder)


def replayed(lake: Lake) -> Dataset:
    """The whole lake by the replay that knows nothing of snapshots."""
    return make_dataset(partial(lake_events, lake.folder), how=Split.TIME)


@given(
    seed=st.integers(0, 10_000),
    imported=st.sampled_from((None, 0, 6, 12)),
    missed=st.sets(st.integers(1, 12), max_size=8),
    lost=st.sampled_from((None, 4, 9)),
    chunk=st.sampled_from((3, 20_000)),
)
@settings(max_examples=25, deadline=None)
def test_a_night_from_a_snapshot_makes_the_bytes_of_a_full_replay(
    seed: int, imported: int | None, missed: set[int], lost: int | None, chunk: int
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "CHUNK_EVENTS", chunk)
        work = Path(name)
        lake = Lake(work, seed)
        for number in range(13):
            day = FIRST + number * DAY
            if number == imported:
                lake.history(day, 120)
            lake.stream(day, 12)
            if number == lost:
                rmtree(work / "snapshots", ignore_errors=True)
            if number in missed or number < 3:
                continue
            dataset, _ = night(lake, work, day + 0.5 * DAY)
            assert saved(dataset, work / "a") == saved(replayed(lake), work / "b")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Ten days, seven of them in a snapshot."""
    lake = Lake(tmp_path, 7)
    for number in range(7):
        lake.stream(FIRST + number * DAY, 30)
    night(lake, tmp_path, FIRST + 7 * DAY)
    for number in range(7, 10):
        lake.stream(FIRST + number * DAY, 30)
    return lake


def test_a_snapshot_made_step_by_step_equals_one_made_at_once(lake: Lake, tmp_path: Path) -> None:
    _, through = night(lake, tmp_path, FIRST + 10 * DAY)
    assert through == date(2026, 1, 7)
    other = tmp_path / "other"
    other.mkdir()
    night(lake, other, FIRST + 10 * DAY)
    name = "snapshots/date=2026-01-10"
    assert contents(tmp_path / name) == contents(other / name)


def test_each_days_records_are_counted_by_what_they_are(tmp_path: Path) -> None:
    def line(number: str, event_id: str, at: datetime, **fields: str) -> LakeLine:
        made = event("click", event_id=event_id, occurred_at=at, context=Context(**fields))
        return LakeLine(number, at, msgspec.Raw(encode_event(made)))

    lines = [
        line("1", "a", FIRST, device="mobile", country="de"),
        line("2", "a", FIRST + DAY / 2),
        LakeLine("3", FIRST, raw=b"nonsense"),
        line("4", "b", FIRST + DAY),
    ]
    path = tmp_path / "one.jsonl.gz"
    path.write_bytes(pack(lines))
    history = History()
    history.read(FIRST.date(), [path, path])
    first, second = (history.statistics.days[(FIRST + age * DAY).date()] for age in (0, 1))
    assert (first.events, first.duplicates, first.unreadable, first.repeated) == (2, 1, 1, 3)
    assert (second.events, second.duplicates, second.repeated) == (1, 0, 1)
    assert first.traits == {
        "event type": {"click": 2},
        "hour": {"00": 1, "12": 1},
        "device": {"mobile": 1, "(unknown)": 1},
        "country": {"DE": 1, "(unknown)": 1},
    }


def test_the_running_day_is_read_but_never_part_of_a_snapshot(lake: Lake, tmp_path: Path) -> None:
    dataset, _ = night(lake, tmp_path, FIRST + 9.5 * DAY)
    assert dataset.log.last_at is not None
    assert dataset.log.last_at.date() >= date(2026, 1, 10)
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == [
        "date=2026-01-07",
        "date=2026-01-09",
    ]


def test_an_object_that_comes_late_for_a_day_voids_the_snapshots_of_it(lake: Lake, tmp_path: Path) -> None:
    night(lake, tmp_path, FIRST + 10 * DAY)
    lake.stream(FIRST + 8 * DAY, 5)
    dataset, through = night(lake, tmp_path, FIRST + 10.5 * DAY)
    assert through == date(2026, 1, 7)
    assert saved(dataset, tmp_path / "a") == saved(replayed(lake), tmp_path / "b")


@pytest.mark.parametrize("name", ["profiles.03.msgpack.gz", "acts.user.npy", "records.imported.npy"])
def test_a_damaged_snapshot_is_told_from_a_whole_one(lake: Lake, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "snapshots" / "date=2026-01-07"
    manifest = read_manifest(folder / MANIFEST)
    assert manifest is not None
    assert damage(manifest, folder) is None
    body = (folder / name).read_bytes()
    (folder / name).write_bytes(body[:-1] + b"?")
    assert damage(manifest, folder) == f"{name} is damaged"
    (folder / name).unlink()
    assert damage(manifest, folder) == f"{name} is missing"


def test_what_other_code_made_is_not_built_upon(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "snapshots" / "date=2026-01-07" / MANIFEST
    manifest = read_manifest(path)
    assert manifest is not None
    assert objection(manifest, lake.inventory) is None
    assert objection(msgspec.structs.replace(manifest, code="older"), lake.inventory) == "other code made it"
    path.write_bytes(path.read_bytes()[:-9])
    assert objection(read_manifest(path), lake.inventory) == "its manifest can't be read"
    gone = {day: digest for day, digest in lake.inventory.items() if day != date(2026, 1, 3)}
    assert objection(manifest, gone) == "the objects of 2026-01-03 are others now"


def test_a_split_leave_last_out_asks_for_the_whole_lake(lake: Lake, tmp_path: Path) -> None:
    ((_, snapshot),) = usable(tmp_path / "snapshots", lake.inventory)
    fetched = lake.since(date(2026, 1, 7), tmp_path / "fetched")
    begun = Night(fetched, snapshot, lake.inventory, FIRST + 10 * DAY)
    with pytest.raises(NeedsHistoryError):
        prepare(begun, Split.AUTO, tmp_path / "more")
    whole = Night(lake.folder, None, None, FIRST + 10 * DAY)
    dataset, _ = prepare(whole, Split.AUTO, tmp_path / "more")
    expected = make_dataset(partial(lake_events, lake.folder), how=Split.LAST)
    assert saved(dataset, tmp_path / "a") == saved(expected, tmp_path / "b")
