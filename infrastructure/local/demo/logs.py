"""Cuts a log into history and live events, and moves both in time.

History is shifted by one offset so that it ends now. The live tenth happens as it is sent: its order stays,
pauses are squeezed, and an event that was sent late stays late by as much.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import msgspec

HISTORY_SHARE: Final = 0.9
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)
Json = dict[str, Any]


@dataclass(frozen=True)
class LiveEvent:
    """An event to send: its body without a time, and how long before sending it happened.

    `lateness` is None for a line whose time can't be read: it is sent as it is.
    """

    body: Json
    lateness: timedelta | None

    def sent_at(self, moment: datetime) -> Json:
        """Return the body of the event as sent at a moment."""
        if self.lateness is None:
            return self.body
        return self.body | {"occurred_at": (moment - self.lateness).isoformat()}


@dataclass(frozen=True)
class Log:
    """A log, cut in two: older lines in order, and the live events."""

    history: list[Json]
    live: list[LiveEvent]


def read_log(path: Path) -> Log:
    """Read a gzipped JSONL log in the order it was sent; lines that are not JSON objects are left out."""
    rows = list(_objects(path))
    times = [_time_of(row) for row in rows]
    cut = int(len(rows) * HISTORY_SHARE)
    newest = list(accumulate((time or _OLDEST for time in times), max))
    live = [
        LiveEvent(row, None if time is None else latest - time)
        for row, time, latest in zip(rows[cut:], times[cut:], newest[cut:], strict=True)
    ]
    return Log(history=rows[:cut], live=live)


def write_history(rows: Sequence[Json], path: Path, *, ends_at: datetime) -> None:
    """Write rows as gzipped JSONL, all times shifted by one offset so that the newest is `ends_at`."""
    times = [_time_of(row) for row in rows]
    offset = ends_at - max(time for time in times if time is not None)
    with gzip.open(path, "wb", compresslevel=1) as file:
        for row, time in zip(rows, times, strict=True):
            shifted = row if time is None else row | {"occurred_at": (time + offset).isoformat()}
            file.write(msgspec.json.encode(shifted) + b"\n")


def _objects(path: Path) -> Iterator[Json]:
    with gzip.open(path) as file:
        for line in file:
            try:
                yield msgspec.json.decode(line, type=Json)
            except msgspec.DecodeError:
                continue


def _time_of(row: Json) -> datetime | None:
    try:
        time = datetime.fromisoformat(row["occurred_at"])
    except (KeyError, TypeError, ValueError):
        return None
    return time if time.tzinfo else None
