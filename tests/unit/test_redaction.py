"""What mentions a person goes; what is left is left byte for byte."""

import gzip
import json
from base64 import b64encode
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, event, record
from personalization.adapters.memory import MemoryArchive
from personalization.archiving import archive
from personalization.errors import CorruptData
from personalization.profiles import at_seconds
from personalization.redaction import is_theirs, lines_of, mentions, redact, searching

AT = at_seconds(NOW) + 1


def body(*events: object) -> bytes:
    lake = MemoryArchive()
    archive([record(one, n) for n, one in enumerate(events, 1)], epoch=1, lake=lake)
    (packed,) = lake.objects.values()
    return packed


def lines(packed: bytes) -> list[bytes]:
    return gzip.decompress(packed).splitlines(keepends=True)


@given(st.lists(st.sampled_from(["ann", "bob", "annie", "an"]), max_size=30))
def test_the_lines_of_others_stay_byte_for_byte_in_their_order(users: list[str]) -> None:
    packed = body(*(event(user_key=user, event_id=f"e{n}") for n, user in enumerate(users))) if users else b""
    if not users:
        return
    found = redact(packed, {"ann": AT})
    assert found.removed.get("ann", 0) == users.count("ann")
    if "ann" not in users:
        assert found.body is None
        return
    assert found.body is not None
    assert lines(found.body) == [
        line for line, user in zip(lines(packed), users, strict=True) if user != "ann"
    ]
    assert redact(found.body, {"ann": AT}).body is None


def test_equal_objects_are_redacted_to_equal_bytes() -> None:
    packed = body(event(user_key="ann"), event(user_key="bob"))
    assert redact(packed, {"ann": AT}).body == redact(packed, {"ann": AT}).body


def test_an_object_of_nobody_else_stays_empty() -> None:
    found = redact(body(event(user_key="ann")), {"ann": AT})
    assert found.body is not None
    assert lines(found.body) == []


def test_a_new_life_stays() -> None:
    packed = body(event(user_key="ann"), event("like", user_key="ann", received_at=NOW + timedelta(hours=1)))
    found = redact(packed, {"ann": AT})
    assert found.body is not None
    (kept,) = lines(found.body)
    assert b'"like"' in kept


def test_what_could_not_be_read_is_searched_as_well() -> None:
    packed = body(b"\x00 user ann \x00", b"\x00 user bob \x00", b'{"user_key": "ann"}', event(user_key="bob"))
    found = redact(packed, {"ann": AT})
    assert found.removed == {"ann": 2}
    assert found.body is not None
    assert len(lines(found.body)) == 2


def test_another_persons_line_that_names_them_goes() -> None:
    packed = body(event("identify", None, user_key="bob", context={"device": "ann"}))
    assert redact(packed, {"ann": AT}).removed == {"ann": 1}


def test_visits_are_told() -> None:
    packed = body(event(user_key="ann", session_id="v1"), event("like", user_key="bob", session_id="v2"))
    assert redact(packed, {"ann": AT, "eve": AT}).sessions == {"ann": {"v1"}}


def test_several_people_go_in_one_pass() -> None:
    packed = body(*(event(user_key=user, event_id=user) for user in ("ann", "bob", "eve")))
    found = redact(packed, {"ann": AT, "eve": AT})
    assert found.removed == {"ann": 1, "eve": 1}


def test_a_persons_lines_are_found() -> None:
    packed = body(event(user_key="ann"), event("like", user_key="bob"), b"\x00 ann")
    assert lines_of(packed, "ann") == [lines(packed)[0].strip(), lines(packed)[2].strip()]
    assert lines_of(packed, "eve") == []


def test_a_damaged_object_is_told() -> None:
    for read in (lambda: redact(b"no", {"ann": AT}), lambda: lines_of(b"\x1f\x8b", "ann")):
        with pytest.raises(CorruptData):
            read()


@pytest.mark.parametrize(
    ("kept", "theirs"),
    [
        ({"partition_key": "ann", "data": "", "arrived_at": NOW.isoformat()}, True),
        ({"data": b64encode(b'{"user_key":"ann"}').decode(), "arrived_at": NOW.isoformat()}, True),
        ({"line": '{"user_key": "ann"', "logged_at": NOW.isoformat()}, True),
        ({"partition_key": "ann", "arrived_at": (NOW + timedelta(hours=1)).isoformat()}, False),
        ({"partition_key": "ann", "reason": "of no date"}, True),
        ({"partition_key": "bob", "arrived_at": NOW.isoformat()}, False),
        ({"partition_key": 7, "data": "ann"}, True),
        ({"partition_key": 7, "data": "bob"}, False),
    ],
)
def test_records_of_the_quarantine_are_told_apart(kept: dict, theirs: bool) -> None:
    assert is_theirs(json.dumps(kept).encode(), "ann", AT) is theirs


def test_a_key_is_a_word_of_its_own() -> None:
    assert mentions(b'"ann"', "ann")
    assert not mentions(b'"anne" "-ann" "ann_"', "ann")


@given(st.binary(max_size=60), st.integers(1, 9), st.integers(0, 60))
def test_a_key_is_found_wherever_a_stream_is_cut(noise: bytes, size: int, place: int) -> None:
    text = noise[:place] + b"qtTmGZt33jMF5Wi" + noise[place:]
    find = searching(("qtTmGZt33jMF5Wi", "absent-key"))
    found = set().union(*(find(text[start : start + size]) for start in range(0, len(text), size)))
    assert found == {"qtTmGZt33jMF5Wi"}
