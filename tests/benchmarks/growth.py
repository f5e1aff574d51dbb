"""The slow loop offline: how its time and memory grow with the log.

Runs the offline pipeline as a command on a quarter of a log and on the whole, one after the other, and prints
what each cost. Machines are noisy and differ: what counts is the ratio of the two, 1 being linear in events.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.rows import Row
from benchmarks.zipf_log import write_zipf_log

USER_EVENTS = 10
CATALOGUE, EVENTS_AN_ITEM = 20_000, 50
LARGE, MINUTES, MEGABYTES = 4_000_000, 20, 8_000
"""What was promised: events, and what they may take."""
_console = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    events: int
    seconds: float
    peak_mb: float

    @property
    def seconds_per_million(self) -> float:
        """Seconds for a million events."""
        return self.seconds / self.events * 1_000_000


def rows(events: int) -> Iterator[Row]:
    """Measure the pipeline on a log of so many events, and on a quarter of them."""
    less, whole = (run(size) for size in (events // 4, events))
    users = f"{events:,} events of {events // USER_EVENTS:,} users"
    promised = events == LARGE
    yield Row(
        what=f"pipeline, events to lists, {users}",
        figure=f"{whole.seconds:,.0f} s",
        against=f"{less.events:,} events, each event's time",
        baseline=f"{less.seconds:,.0f} s",
        ratio=whole.seconds_per_million / less.seconds_per_million,
        target=f"{MINUTES} minutes" if promised else "",
        met=whole.seconds <= MINUTES * 60,
    )
    yield Row(
        what="pipeline, peak memory",
        figure=f"{whole.peak_mb:,.0f} MB",
        against=f"{less.events:,} events",
        baseline=f"{less.peak_mb:,.0f} MB",
        ratio=whole.peak_mb / less.peak_mb,
        target=f"{MEGABYTES:,} MB" if promised else "",
        met=whole.peak_mb <= MEGABYTES,
    )


def run(events: int) -> Cost:
    """Time the pipeline on a log of so many events by a tenth as many users, on a fiftieth as many items."""
    users, catalogue = events // USER_EVENTS, max(CATALOGUE, events // EVENTS_AN_ITEM)
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        log, items = write_zipf_log(folder, events=events, users=users, items=catalogue)
        command = ["--events", str(log), "--items", str(items), "--output", str(folder / "out")]
        _console.print(
            f"training and ranking for {events // USER_EVENTS:,} users from {events:,} events", style="dim"
        )
        start = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "training.pipeline", *command])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if status:
            raise SystemExit(f"the pipeline failed on {events:,} events")
    return Cost(events, seconds, usage.ru_maxrss / 1024)
