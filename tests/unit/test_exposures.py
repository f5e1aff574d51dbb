"""The record that every answer leaves, on its way from the log to the lake and back."""

import gzip
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, delivered
from personalization import keys
from personalization.adapters.memory import MemoryArchive
from personalization.errors import CorruptData, InvalidInput
from personalization.exposure_log import Archived, archive_exposures, decode_delivery, pack_exposures
from personalization.exposures import (
    MESSAGE,
    Assigned,
    Exposure,
    decode_exposure,
    encode_exposure,
    read_exposures,
)
from personalization.names import Source

MODEL = Assigned("home-ranking", "model")


def exposure(request_id: str = "r-1", **fields: Any) -> Exposure:
    known = {
        "at": NOW,
        "user_key": "user-1",
        "surface": "home",
        "list_id": "list-1",
        "source": Source.LIST,
        "assignments": (MODEL,),
    }
    return Exposure(request_id=request_id, **known | fields)


def logged(record: Exposure) -> str:
    """The line that `get_recommendations` logs."""
    line = {"level": "INFO", "message": MESSAGE, "exposure": msgspec.to_builtins(record)}
    return json.dumps(line)


def archived(lake: MemoryArchive, *lines: str, **more: Any) -> Archived:
    return archive_exposures(decode_delivery(delivered(*lines, **more)), lake)


def in_lake(lake: MemoryArchive) -> list[Exposure]:
    bodies = [body for key, body in lake.objects.items() if key.startswith(keys.EXPOSURES)]
    return list(read_exposures(line for body in bodies for line in gzip.decompress(body).splitlines()))


def test_what_is_logged_rests_in_the_lake_under_its_day() -> None:
    lake = MemoryArchive()
    records = [exposure(f"r-{number}", source=Source.POPULAR, assignments=()) for number in range(3)]
    assert archived(lake, *map(logged, records)) == Archived(exposures=3)
    assert in_lake(lake) == records
    (key,) = lake.objects
    assert key == f"exposures/date=2026-01-15/2026-01-15-LATEST-0123456789abcdef-{0:056d}.jsonl.gz"


def test_a_delivery_that_comes_twice_overwrites_its_own_object() -> None:
    lake = MemoryArchive()
    archived(lake, logged(exposure()))
    before = dict(lake.objects)
    archived(lake, logged(exposure()))
    assert lake.objects == before


def test_a_delivery_over_midnight_is_two_days_and_none_counts_twice() -> None:
    lake = MemoryArchive()
    midnight = datetime(2026, 1, 16, tzinfo=UTC)
    records = [
        exposure("late", at=midnight),
        exposure("early", at=midnight - timedelta(microseconds=1)),
        exposure("later", at=midnight + timedelta(seconds=1)),
    ]
    archived(lake, *map(logged, records))
    days = {key.split("/")[1] for key in lake.objects}
    assert days == {"date=2026-01-15", "date=2026-01-16"}
    assert sorted(row.request_id for row in in_lake(lake)) == ["early", "late", "later"]


def test_lines_that_cannot_be_read_are_kept_with_the_reason_and_cost_the_others_nothing() -> None:
    lake = MemoryArchive()
    no_user = json.dumps({"message": MESSAGE, "exposure": {"request_id": "r", "list_id": "l"}})
    result = archived(lake, logged(exposure("a")), '{"message": "exposure", "list_id', no_user, "plain text")
    assert result == Archived(exposures=1, quarantined=3)
    assert [row.request_id for row in in_lake(lake)] == ["a"]
    set_aside = {key: json.loads(body) for key, body in lake.objects.items() if "quarantine" in key}
    assert all(key.startswith("quarantine/exposures/date=2026-01-15/") for key in set_aside)
    assert sorted(row["line"] for row in set_aside.values()) == sorted(
        ['{"message": "exposure", "list_id', no_user, "plain text"]
    )
    assert any("at" in row["reason"] for row in set_aside.values() if row["line"] == no_user)


def test_other_lines_that_mention_exposures_are_passed_over() -> None:
    lake = MemoryArchive()
    other = json.dumps({"message": "an exposure without list_id", "level": "ERROR"})
    assert archived(lake, other) == Archived()
    assert lake.objects == {}


def test_the_message_by_which_cloudwatch_tries_a_subscription_writes_nothing() -> None:
    lake = MemoryArchive()
    assert archived(lake, "CWL CONTROL MESSAGE: Checking health", kind="CONTROL_MESSAGE") == Archived()
    assert lake.objects == {}


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"awslogs": None},
        {"awslogs": {"data": "%%%"}},
        {"awslogs": {"data": b64encode(b"not gzip").decode()}},
        {"awslogs": {"data": b64encode(gzip.compress(b"x" * 99)[:-9]).decode()}},
        {"awslogs": {"data": b64encode(gzip.compress(b'{"messageType": 1}')).decode()}},
    ],
)
def test_what_is_no_delivery_is_refused_whole(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="invalid_delivery"):
        decode_delivery(event)


def test_readers_drop_repeats_and_crawlers() -> None:
    rows = [exposure("a"), exposure("b", bot=True), exposure("a"), exposure("c", user_key="user-2")]
    body = gzip.decompress(pack_exposures(rows))
    assert [row.request_id for row in read_exposures(body.splitlines())] == ["a", "c"]


def test_a_damaged_object_is_told() -> None:
    with pytest.raises(CorruptData):
        list(read_exposures([b'{"request_id": ""}']))


def test_a_record_with_one_assignment_takes_the_room_that_is_stated() -> None:
    record = exposure(
        request_id="0" * 36,
        user_key="0" * 22,
        list_id="0" * 32,
        model_version="20260115T120000Z-0123abcd",
        receipt="0" * 20,
    )
    assert 320 < len(encode_exposure(record)) < 360


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
RECORDS = st.builds(
    Exposure,
    request_id=TEXTS,
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    user_key=TEXTS,
    surface=TEXTS,
    list_id=TEXTS,
    source=st.sampled_from(Source),
    model_version=TEXTS,
    assignments=st.lists(st.builds(Assigned, TEXTS, TEXTS, st.booleans()), max_size=3).map(tuple),
    session_id=st.none() | TEXTS,
    bot=st.just(False),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=8, unique_by=lambda row: row.request_id))
def test_any_record_comes_back_from_log_and_lake_as_it_was(records: list[Exposure]) -> None:
    lake = MemoryArchive()
    assert archived(lake, *map(logged, records)).exposures == len(records)
    order = {row.request_id: row for row in in_lake(lake)}
    assert order == {row.request_id: row for row in records}
    assert all(decode_exposure(encode_exposure(row)) == row for row in records)
