"""Replay: gzipped JSON lines of client events to encoded profiles on disk, on one core."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks.metarank_log import write_metarank_log
from benchmarks.rows import Row
from personalization.events import decode_client_event
from training.replay import read_profiles

ITEMS = 100_000
TARGET = 50_000
TARGET_BYTES = 512


def rows(users: int) -> Iterator[Row]:
    """Replay the log of so many users, and of a fifth of them for the memory; the floor is reading it."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        runs = [_run(folder, size) for size in (users // 5, users)]
        (_, _, less), (events, seconds, peak) = runs
        floor = _read_only(folder / f"{users}.jsonl.gz")
        speed = events / seconds
        yield Row(
            what="replay, events/s of one core",
            figure=f"{speed:,.0f}",
            against="unpack and parse alone",
            baseline=f"{events / floor:,.0f}",
            ratio=speed / (events / floor),
            target=f"{TARGET:,}",
            met=speed >= TARGET,
        )
        yield Row(
            what="replay, peak memory",
            figure=f"{peak:,.0f} MB",
            against="a fifth of the users",
            baseline=f"{less:,.0f} MB",
            ratio=peak / less,
            target="flat",
            met=peak < 1.5 * less,
        )
        held = [len(row.data) for row in read_profiles(folder / f"{users}")]
        stored = sum(held) / len(held)
        yield Row(
            what="profile of that log, bytes a user",
            figure=f"{stored:,.0f}",
            against="Metarank's state in Redis",
            baseline="796",
            ratio=stored / 796,
            target=f"{TARGET_BYTES}",
            met=stored <= TARGET_BYTES,
        )


def _run(folder: Path, users: int) -> tuple[int, float, float]:
    """Return events, processor seconds and peak megabytes of one replay."""
    log = folder / f"{users}.jsonl.gz"
    events = write_metarank_log(log, users=users, items=ITEMS)
    command = ["-m", "training.replay", "--processes", "1", "--events", str(log)]
    process = subprocess.Popen(
        [sys.executable, *command, "--output", str(folder / f"{users}")], stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the replay failed")
    return events, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _read_only(log: Path) -> float:
    """Return the processor seconds of reading and parsing."""
    before = process_time()
    with gzip.open(log) as lines:
        for line in lines:
            decode_client_event(line)
    return process_time() - before
