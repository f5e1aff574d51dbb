"""A log cut in two: history ends now, and the live tenth happens as it is sent."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infrastructure.local.demo.logs import LiveEvent, read_log, write_history

START = datetime(2003, 5, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def row(minute: float) -> dict[str, Any]:
    return {"event_id": f"e-{minute}", "occurred_at": (START + minute * MINUTE).isoformat()}


def written(folder: Path, *lines: bytes) -> Path:
    path = folder / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    return path


def of(folder: Path, *rows: dict[str, Any]) -> Path:
    return written(folder, *map(msgspec.json.encode, rows))


def test_nine_tenths_are_history_and_the_rest_is_live_in_the_order_of_the_log(tmp_path: Path) -> None:
    rows = [row(minute) for minute in range(20)]
    log = read_log(of(tmp_path, *rows))
    assert log.history == rows[:18]
    assert [event.body for event in log.live] == rows[18:]


def test_a_live_event_happens_when_it_is_sent_and_a_late_one_stays_late_by_as_much(tmp_path: Path) -> None:
    log = read_log(of(tmp_path, *map(row, range(18)), row(30), row(10)))
    on_time, late = (event.sent_at(NOW)["occurred_at"] for event in log.live)
    assert datetime.fromisoformat(on_time) == NOW
    assert NOW - datetime.fromisoformat(late) == 20 * MINUTE


def test_an_event_of_history_counts_when_lateness_is_told(tmp_path: Path) -> None:
    (event,) = read_log(of(tmp_path, row(60), *map(row, range(9)))).live
    assert event.lateness == 52 * MINUTE


def test_lines_that_are_not_objects_are_left_out(tmp_path: Path) -> None:
    assert read_log(written(tmp_path, b"[1]", b"{broken", b"7")).history == []


@pytest.mark.parametrize("time", ["yesterday", None, 7, "2003-05-01T12:00:00"])
def test_a_live_event_whose_time_cannot_be_read_is_sent_as_it_is(tmp_path: Path, time: object) -> None:
    broken = {"event_id": "b", "occurred_at": time}
    (event,) = read_log(of(tmp_path, *map(row, range(9)), broken)).live
    assert event == LiveEvent(broken, None)
    assert event.sent_at(NOW) == broken


def test_history_is_shifted_by_one_offset_so_that_its_newest_event_is_now(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl.gz"
    broken = {"event_id": "b", "occurred_at": "yesterday"}
    write_history([row(5), row(65), broken, row(0)], path, ends_at=NOW)
    first, newest, unread, oldest = map(msgspec.json.decode, gzip.decompress(path.read_bytes()).splitlines())
    times = [datetime.fromisoformat(event["occurred_at"]) for event in (oldest, first, newest)]
    assert times == [NOW - 65 * MINUTE, NOW - 60 * MINUTE, NOW]
    assert unread == broken
