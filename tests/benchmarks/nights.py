"""``python -m benchmarks.nights``: what *prepare* costs from a snapshot, and from the whole lake.

Archives a synthetic shop's month in objects of two minutes each, as `prod` does, prepares the last night both
ways, and compares what they wrote.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.table import Table

from personalization.archiving import LakeLine, pack
from personalization.errors import InvalidInput
from personalization.events import Event, accept, decode_client_event, encode_event
from personalization.keys import event_object
from training.dataset import save_dataset
from training.inventory import digest_of
from training.preparation import Night, prepare
from training.shop import Shop
from training.sources import lake_days
from training.split import Split
from training.synthetic import simulate

END = datetime(2026, 1, 31, tzinfo=UTC)
DAYS = 30
ITEMS = 2_000
WINDOW_SECONDS = 120
_console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Cost:
    """What one night took."""

    night: str
    objects: int
    megabytes: float
    seconds: float


def main() -> int:
    """Measure both ways; returns 0, or 1 if they differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nights", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="bench-") as name:
        work = Path(name)
        _console.print(f"archiving {DAYS} days of {options.users:,} users", style="dim")
        events = archive_month(work / "lake", options.users)
        costs = _nights(work)
        same = _contents(work / costs[0].night) == _contents(work / costs[1].night)
        snapshot = sum(path.stat().st_size for path in (work / "snapshots").glob("*/*")) / 1e6
    _console.print(_table(costs, f"{events:,} events; the snapshot has {snapshot:.1f} MB"))
    _console.print("both wrote the same bytes" if same else "[red]they differ")
    return 0 if same else 1


def archive_month(lake: Path, users: int) -> int:
    """Write the lake; return how many events it holds."""
    events = sorted(_events(users), key=lambda event: event.received_at)
    count = 0
    for _, group in groupby(events, key=lambda event: int(event.received_at.timestamp()) // WINDOW_SECONDS):
        lines = []
        for event in group:
            count += 1
            lines.append(LakeLine(str(count), event.received_at, msgspec.Raw(encode_event(event))))
        first = lines[0]
        key = event_object(first.arrived_at, epoch=1, shard="s", first_sequence=f"{count:012}")
        path = lake / key.removeprefix("events/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(lines))
    return count


def _events(users: int) -> Iterator[Event]:
    last = END - timedelta(seconds=1)
    for line in simulate(Shop.open(seed=1, users=users, items=ITEMS), days=DAYS, seed=1, end=END):
        try:
            sent = decode_client_event(line)
            yield accept(sent, user_key=sent.user_id, received_at=min(sent.occurred_at, last))
        except InvalidInput:
            continue


def _nights(work: Path) -> list[Cost]:
    days = lake_days(work / "lake")
    newest = max(days)
    inventory = {day: digest_of((path.name, "") for path in paths) for day, paths in days.items()}
    before = _linked(work / "before", days, [day for day in days if day < newest])
    midnight = datetime(newest.year, newest.month, newest.day, tzinfo=UTC)
    prepare(Night(before, None, inventory, midnight), Split.TIME, work / "snapshots")
    (snapshot,) = (work / "snapshots").iterdir()
    night = midnight + timedelta(days=1, hours=3)
    since = _linked(work / "since", days, [newest])
    return [
        _timed("from the snapshot", Night(since, snapshot, None, night), work),
        _timed("whole lake", Night(work / "lake", None, None, night), work),
    ]


def _linked(folder: Path, days: dict[date, list[Path]], wanted: Sequence[date]) -> Path:
    """Make a folder of some days only."""
    for day in wanted:
        copytree(days[day][0].parent, folder / f"date={day}", copy_function=os.link)
    return folder


def _timed(name: str, night: Night, work: Path) -> Cost:
    paths = [path for found in lake_days(night.events).values() for path in found]
    start = time.monotonic()
    dataset, _ = prepare(night, Split.TIME, work / "unused")
    seconds = time.monotonic() - start
    save_dataset(dataset, work / name)
    return Cost(name, len(paths), sum(path.stat().st_size for path in paths) / 1e6, seconds)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _table(costs: Sequence[Cost], title: str) -> Table:
    table = Table("night", "objects of the lake", "MB of the lake", "seconds", title=title)
    for cost in costs:
        table.add_row(cost.night, f"{cost.objects:,}", f"{cost.megabytes:.1f}", f"{cost.seconds:.1f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
