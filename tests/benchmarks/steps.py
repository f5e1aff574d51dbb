"""``python -m benchmarks.steps``: the cost of each step of the slow loop; `training.capacity` keeps it.

Runs the jobs as the containers do, one process a step, on logs of two sizes, and prints processor seconds and
peak memory of each. What else the machine does hardly touches either; threads make the elapsed time shorter.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.zipf_log import DAYS, START, write_zipf_log
from personalization.archiving import LakeLine, pack
from personalization.events import accept, decode_client_event, decode_item, encode_event, upsert_item
from training.sources import lines_of

USER_EVENTS = 10
CATALOGUE = 20_000
LAKE_OBJECT_EVENTS = 5_000
NOW = START + timedelta(days=DAYS)
LINKS = {
    "prepare": {
        "processing/output/dataset": ("input/data/dataset", "processing/input/dataset"),
        "processing/output/users": ("processing/input/users",),
    },
    "train": {"model": ("processing/input/model",)},
}
_console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Cost:
    """What one step took."""

    events: int
    step: str
    seconds: float
    peak_mb: float


def main() -> int:
    """Measure both sizes; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 250_000])
    table = Table("events", "users", "step", "processor seconds", "peak memory")
    for events in parser.parse_args().events:
        for cost in run(events):
            row = f"{cost.events:,}", f"{cost.events // USER_EVENTS:,}", cost.step
            table.add_row(*row, f"{cost.seconds:.1f}", f"{cost.peak_mb:,.0f} MB")
    _console.print(table)
    return 0


def run(events: int) -> Iterator[Cost]:
    """Run every step on a log of so many events of a tenth as many users, on 20,000 items."""
    with TemporaryDirectory(prefix="bench-") as name:
        root = Path(name)
        _write_lake(root, events)
        size = sum(path.stat().st_size for path in (root / "processing/input/events").iterdir())
        _console.print(f"{events:,} events are {size / 1e6:.1f} MB of lake", style="dim")
        for step in ("prepare", "train", "evaluate", "share", "rank"):
            cost = _timed(root, step, events)
            _console.print(
                f"{cost.events:,} {cost.step} {cost.seconds:.1f} s {cost.peak_mb:.0f} MB", style="dim"
            )
            yield cost
            for source, targets in LINKS.get(step, {}).items():
                for target in targets:
                    (root / target).parent.mkdir(parents=True, exist_ok=True)
                    (root / target).symlink_to(root / source)


def _timed(root: Path, step: str, events: int) -> Cost:
    command = [sys.executable, "-m", f"training.jobs.{step}", "--root", str(root), "--now", NOW.isoformat()]
    command += ["--version", "bench"] if step == "train" else []
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{step} failed on {events:,} events")
    return Cost(events, step, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _write_lake(root: Path, events: int) -> None:
    log, items = write_zipf_log(root, events=events, users=events // USER_EVENTS, items=CATALOGUE)
    folder = root / "processing" / "input" / "events"
    folder.mkdir(parents=True)
    lines = [*_item_lines(items), *_event_lines(log)]
    for number, some in enumerate(batched(lines, LAKE_OBJECT_EVENTS, strict=False)):
        (folder / f"{number:05}.jsonl.gz").write_bytes(pack(list(some)))


def _item_lines(path: Path) -> Iterator[LakeLine]:
    for number, line in enumerate(lines_of(path)):
        item = upsert_item(decode_item(line), event_id=f"i{number}", received_at=START)
        yield LakeLine(f"item-{number}", datetime.now(UTC), msgspec.Raw(encode_event(item)))


def _event_lines(path: Path) -> Iterator[LakeLine]:
    for number, line in enumerate(lines_of(path)):
        sent = decode_client_event(line)
        event = accept(sent, user_key=sent.user_id, received_at=sent.occurred_at)
        yield LakeLine(f"event-{number}", datetime.now(UTC), msgspec.Raw(encode_event(event)))


if __name__ == "__main__":
    raise SystemExit(main())
