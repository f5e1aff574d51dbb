"""``python -m benchmarks``: how the slow loop's time and memory grow with the log.

Runs the offline pipeline as a command on a quarter of a log and on the whole, one after the other, and prints
what each cost. Machines are noisy and differ: what counts is the ratio of the two, 1 being linear in events.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.zipf_log import write_zipf_log

USER_EVENTS = 10
CATALOGUE = 20_000
_console = Console(highlight=False, soft_wrap=True)


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


def main() -> int:
    """Measure both sizes; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="of the larger log (default: a million)"
    )
    options = parser.parse_args()
    costs = [run(events) for events in (options.events // 4, options.events)]
    _console.print(_table(costs))
    return 0


def run(events: int) -> Cost:
    """Time the pipeline on a log of so many events by a tenth as many users, on 20,000 items."""
    users = events // USER_EVENTS
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        log, items = write_zipf_log(folder, events=events, users=users, items=CATALOGUE)
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


def _table(costs: list[Cost]) -> Table:
    base = costs[0]
    table = Table(
        "events",
        "users",
        "seconds",
        "peak memory",
        "time an event, against the first",
        title="the slow loop, offline",
    )
    for cost in costs:
        table.add_row(
            f"{cost.events:,}",
            f"{cost.events // USER_EVENTS:,}",
            f"{cost.seconds:.0f}",
            f"{cost.peak_mb:,.0f} MB",
            f"{cost.seconds_per_million / base.seconds_per_million:.2f}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
