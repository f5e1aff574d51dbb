"""Reading the lake: every record once, though retries and repeated imports left some of them twice."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from factories import NOW, event
from personalization.archiving import LakeLine, pack
from personalization.events import encode_event
from personalization.keys import event_object
from training.sources import KnownRecords, lake_events

DAY = timedelta(days=1)


def line(number: str, arrived_at: datetime = NOW) -> LakeLine:
    return LakeLine(number, arrived_at, msgspec.Raw(encode_event(event("click", event_id=number))))


def put(folder: Path, *lines: LakeLine, day: datetime | None = None) -> None:
    """Write an object as a batch does: under the day its first record arrived, unless told another."""
    first = lines[0]
    key = event_object(
        day or first.arrived_at, epoch=1, shard="shard-0", first_sequence=first.sequence_number
    )
    path = folder / key.removeprefix("events/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(lines))


def read(folder: Path) -> Sequence[str]:
    return [found.event_id for found in lake_events(folder)]


def test_a_batch_that_was_cut_anew_counts_once(tmp_path: Path) -> None:
    put(tmp_path, line("1"), line("2"))
    put(tmp_path, line("2"), line("3"))
    assert read(tmp_path) == ["1", "2", "3"]


def test_a_batch_that_was_cut_anew_at_midnight_counts_once(tmp_path: Path) -> None:
    """The first object lies under the day of its first record, the second under the next day."""
    put(tmp_path, line("1"), line("2", NOW + DAY), line("3", NOW + 3 * DAY))
    put(tmp_path, line("2", NOW + DAY), line("3", NOW + 3 * DAY))
    put(tmp_path, line("3", NOW + 3 * DAY), line("4", NOW + 3 * DAY))
    assert read(tmp_path) == ["1", "2", "3", "4"]


def test_clocks_that_differ_around_midnight_do_not_count_a_record_twice(tmp_path: Path) -> None:
    put(tmp_path, line("2"))
    put(tmp_path, line("1", NOW + DAY), line("2"))
    assert read(tmp_path) == ["2", "1"]


def test_an_import_that_was_run_again_days_later_counts_once(tmp_path: Path) -> None:
    for days in (0, 5):
        at = NOW + days * DAY
        put(tmp_path, line("import-1-event-1", at), line(f"import-1-event-{2 + days}", at))
    assert read(tmp_path) == ["import-1-event-1", "import-1-event-2", "import-1-event-7"]


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, LakeLine("1", NOW, raw=b"nonsense"), LakeLine("2", NOW, msgspec.Raw(b"{}")), line("3"))
    assert read(tmp_path) == ["3"]


def test_sequence_numbers_of_past_days_are_forgotten_and_those_of_imports_are_not() -> None:
    known = KnownRecords()
    for days in range(10):
        assert known.add(line(str(days), NOW + days * DAY))
        known.forget(before=(NOW + days * DAY).date() - DAY)
    assert known.add(line("import-1-event-1"))
    known.forget(before=(NOW + 30 * DAY).date())
    assert not known.streamed
    assert not known.add(line("import-1-event-1", NOW + 30 * DAY))
