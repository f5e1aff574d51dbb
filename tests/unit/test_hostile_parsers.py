"""Every parser, given anything, returns a value that survives being written, or the error it documents."""

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any

import boto3
import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from moto import mock_aws

from console_site import results
from factories import NOW, client_event, event, listed, record
from hostile.grammar import VALUES, WORDS, broken_body, broken_entry
from infrastructure.definitions import as_json, read_definitions
from infrastructure.local import emf, metric_math
from infrastructure.local.errors import MetricMathError
from personalization import tokens
from personalization.access_tokens import Provider
from personalization.adapters.dynamodb import _state
from personalization.adapters.memory import (
    MemoryErasureQueue,
    MemoryQuarantine,
    MemoryRefreshQueue,
    MemoryTable,
)
from personalization.admission import Admission
from personalization.archiving import LakeLine, archive, pack, read_events, read_lines
from personalization.definitions import parse_definitions
from personalization.errors import CorruptData, InvalidEvent, InvalidInput, InvalidToken
from personalization.events import (
    MAX_REASON,
    accept,
    decode_client_event,
    decode_event,
    decode_item,
    encode_event,
)
from personalization.experiment_results import decode_results, encode_results
from personalization.experiments import Assignment
from personalization.guests import issue_guest_token, new_guest
from personalization.ingestion import split_batch
from personalization.ledger import Mark, SeenIds
from personalization.lists import decode_list, encode_list
from personalization.names import Consent
from personalization.profile_encoding import decode, encode
from personalization.profiles import Profile, apply
from personalization.projection import Projector
from personalization.queries import parse_query
from personalization.referrers import medium_of
from training.quarantine import Quarantine
from training.statistics import Statistics

SECONDS = 1.0
"""Processor time that no single input may take."""
GOOD_EVENT = client_event("impression", context={"country": "DE", "referrer": "search"}, position=3)
GOOD_ITEM = {
    "item_id": "sku-1",
    "title": "Lamp",
    "tags": ["a"],
    "price": 3,
    "published_at": "2026-01-01T00:00:00Z",
}
randoms = st.randoms(use_true_random=False)
texts = st.text(st.characters(categories=None), max_size=80) | st.sampled_from(WORDS)
anything = st.binary(max_size=200) | st.sampled_from(VALUES)


def entries(good: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Objects with something wrong, broken bytes, and any bytes."""
    whole = json.dumps(good).encode()
    broken = st.builds(lambda random: broken_entry(random, good), randoms)
    return broken | st.builds(lambda random: broken_body(random, whole), randoms) | anything


def parsed[T](parse: Callable[[], T], *errors: type[Exception]) -> T | None:
    """What comes of a parse: a value, or None after an error that is documented; never late."""
    before = time.thread_time()
    try:
        return parse()
    except errors:
        return None
    finally:
        assert time.thread_time() - before < SECONDS


@contextmanager
def noting[E: Exception](kind: type[E]) -> Iterator[list[E]]:
    """Keep an error instead of raising it."""
    caught: list[E] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)


@given(entries(GOOD_EVENT))
def test_client_events(raw: bytes) -> None:
    def canonical() -> Any:
        return accept(decode_client_event(raw), user_key="key", received_at=NOW)

    found = parsed(canonical, InvalidEvent)
    if found is not None:
        assert decode_event(encode_event(found)) == found


@given(entries(GOOD_EVENT))
def test_a_refusal_is_short_however_long_the_input(raw: bytes) -> None:
    with noting(InvalidEvent) as caught:
        decode_client_event(raw)
    assert all(len(error.reason) <= MAX_REASON for error in caught)


def test_a_long_reason_keeps_what_is_wrong_and_where() -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_client_event(json.dumps(client_event("x" * 9_000)).encode())
    assert caught.value.reason.startswith("Invalid enum value 'xxx")
    assert caught.value.reason.endswith("x' - at `$.event_type`")


@given(entries(GOOD_ITEM))
def test_items(raw: bytes) -> None:
    found = parsed(lambda: decode_item(raw), InvalidEvent)
    if found is not None:
        assert decode_item(msgspec.json.encode(found)) == found


@given(entries(GOOD_EVENT), st.sampled_from(["events", "items"]))
def test_bodies(raw: bytes, field: str) -> None:
    found = parsed(lambda: split_batch(raw, field=field), InvalidInput)
    assert found is None or 1 <= len(found) <= 500


CANONICAL = json.loads(encode_event(event("purchase", item_id="sku-1", value=3.0, surface="home")))


@given(st.lists(entries(CANONICAL), min_size=1, max_size=4))
def test_canonical_events_are_applied_or_set_aside_and_never_stop_the_stream(raws: list[bytes]) -> None:
    for raw in raws:
        found = parsed(lambda raw=raw: decode_event(raw), InvalidEvent)
        if found is not None:
            assert decode_event(encode_event(found)) == found
    table = MemoryTable()
    projector = Projector(
        profiles=table,
        catalog=table,
        quarantine=MemoryQuarantine(),
        refreshes=MemoryRefreshQueue(),
        erasures=MemoryErasureQueue(),
        consent_default=Consent.PERSONALIZATION,
        token_secret=b"secret",
        epoch=1,
        clock=lambda: NOW,
        new_id=lambda: "id",
    )
    projection = projector.project([record(raw, number) for number, raw in enumerate(raws)])
    assert not projection.failed
    assert projection.outcomes.total() == len(raws)


@pytest.mark.parametrize("year", [1960, 1989, 2106, 2200, 9999])
def test_times_that_a_profile_cannot_hold_are_refused_before_it_is_written(year: int) -> None:
    moment = datetime(year, 6, 1, tzinfo=UTC)
    raw = encode_event(event("purchase", occurred_at=moment, received_at=moment))
    with pytest.raises(InvalidEvent, match="between 1990 and 2106"):
        decode_event(raw)


@given(
    st.dictionaries(
        st.sampled_from(["surface", "limit", "exclude", "country", "device", "referrer", "x"]),
        texts,
        max_size=4,
    ),
    texts,
    st.none() | texts,
)
def test_query_parameters(values: dict[str, str], user_id: str, country: str | None) -> None:
    query = parsed(
        lambda: parse_query(user_id, values, user_key=lambda _: "key", viewer_country=country), InvalidInput
    )
    assert query is None or (1 <= query.limit <= 50 and len(query.exclude) <= 200)


@given(texts)
def test_referrers(text: str) -> None:
    medium = parsed(lambda: medium_of(text))
    assert medium is None or medium_of(medium) == medium


def token(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "list_id": "list",
        "user_key": "key",
        "surface": "home",
        "model_version": "v1",
    }
    arguments |= {"assignments": (Assignment("e", "v"),), "item_ids": ["sku-1"], "issued_at": NOW}
    return tokens.issue(b"secret", **{**arguments, **changes})


def damaged(random: Random) -> str:
    """A token with some bytes changed, signed anew so that the signature tells nothing."""
    body = bytearray(tokens._opened(token())[0])
    for _ in range(random.randint(1, 4)):
        body[random.randrange(len(body))] = random.randrange(256)
    return tokens._to_text(bytes(body) + tokens._sign(b"secret", bytes(body)))


hostile_tokens = texts | st.builds(damaged, randoms) | st.binary(max_size=90).map(tokens._to_text)


@given(hostile_tokens)
def test_tokens(text: str) -> None:
    for read in (
        lambda: tokens.verify(b"secret", text, user_key="key", now=NOW),
        lambda: tokens.read(text, user_key="key"),
    ):
        receipt = parsed(read, InvalidToken)
        assert receipt is None or receipt.place_of("unseen") is None


GUEST_KEY = b"k" * 64
ADMISSION = Admission(lambda: (GUEST_KEY,), Provider("https://id.example", "attune"), lambda _: None)
good_guests = st.sampled_from(
    [issue_guest_token(GUEST_KEY, new_guest("0" * 32), now=NOW).token, "e30.e30.AAAA", "a.b.c"]
)


@given(texts | st.builds(lambda token, random: broken_body(random, token.encode()), good_guests, randoms))
def test_what_an_app_calls_its_token(text: str | bytes) -> None:
    shown = text if isinstance(text, str) else text.decode(errors="replace")
    for header in (shown, f"Bearer {shown}"):
        caller = parsed(lambda header=header: ADMISSION.admit(header, now=NOW), InvalidToken)
        assert caller is None or caller.user_id == new_guest("0" * 32)


def test_a_token_that_holds_no_text_is_malformed() -> None:
    body = bytearray(tokens._opened(token())[0])
    body[body.index(b"home")] = 0xFF
    with pytest.raises(InvalidToken, match="malformed"):
        tokens.read(tokens._to_text(bytes(body) + b"s" * 16), user_key="key")


@given(hostile_tokens | st.integers(-(2**63), 2**64 - 1).map(lambda offset: token(offset=offset)))
def test_statistics_of_the_night_outlive_any_token_of_a_client(text: str) -> None:
    statistics = Statistics()
    statistics.exposure(event("click", user_key="key", recommendation_id=text))
    assert all(len(shown.clicks) <= 200 for day in statistics.days.values() for shown in day.shown.values())


def changed(good: bytes) -> st.SearchStrategy[bytes]:
    """Stored bytes with something changed in them, cut, or others."""
    return st.builds(lambda random: broken_body(random, good), randoms) | st.binary(max_size=200)


FULL = Profile()
for _kind in ("purchase", "view", "impression", "dislike"):
    apply(FULL, event(_kind, surface="home", attributes={"tier": "gold"}))


@given(changed(encode(FULL)))
def test_stored_profiles(data: bytes) -> None:
    found = parsed(lambda: decode(data), CorruptData)
    assert found is None or isinstance(found, Profile)


@given(changed(encode_list(listed("sku-1", "sku-2"))))
def test_stored_lists(data: bytes) -> None:
    found = parsed(lambda: decode_list(data), CorruptData)
    if found is not None:
        assert decode_list(encode_list(found)).items == found.items


@given(
    texts
    | st.builds(
        lambda epoch, number: str(Mark.of(epoch, str(number))), st.integers(0, 10**12 - 1), st.integers(0)
    )
)
def test_marks(text: str) -> None:
    mark = parsed(lambda: Mark.parse(text), CorruptData)
    assert mark is None or Mark.parse(str(mark)) == mark


@given(texts)
def test_a_stored_row_with_a_broken_mark_is_unreadable_and_not_a_crash(text: str) -> None:
    row = {
        "seen": {"B": b""},
        "mark": {"S": text},
        "import_mark": {"S": ""},
        "refresh_due_at": {"N": "0"},
        "version": {"S": "v"},
        "data": {"B": encode(FULL)},
    }
    state = parsed(lambda: _state(row))
    assert state is not None
    assert state.unreadable or state.mark == Mark.parse(text)


@given(changed(as_json(read_definitions()).encode()))
def test_definitions_of_experiments_are_read_or_refused(raw: bytes) -> None:
    parsed(lambda: parse_definitions(raw), InvalidInput)


@given(changed(encode_results(results(NOW))))
def test_results_of_experiments_are_read_or_corrupt(raw: bytes) -> None:
    found = parsed(lambda: decode_results(raw), CorruptData)
    if found is not None:
        assert decode_results(encode_results(found)) == found


@given(st.binary(max_size=600))
def test_seen_ids(data: bytes) -> None:
    assert parsed(lambda: SeenIds(data).add("an id that is new")) is True


LINE = {"sequence_number": "1", "arrived_at": "2026-01-01T00:00:00Z", "event": CANONICAL, "shard": "1-shard"}


@given(st.lists(entries(LINE), max_size=3))
def test_lines_of_the_lake(lines: list[bytes]) -> None:
    found = parsed(lambda: list(read_lines(lines)), CorruptData)
    parsed(lambda: list(read_events(lines)), CorruptData)
    assert found is None or all(isinstance(line, LakeLine) and line.sequence_number for line in found)


@given(st.lists(entries(CANONICAL), min_size=1, max_size=4))
def test_any_record_of_the_stream_comes_back_from_the_lake(raws: list[bytes]) -> None:
    stored: dict[str, bytes] = {}
    lake = SimpleNamespace(put=lambda key, body: stored.update({key: body}))
    archive([record(raw, number) for number, raw in enumerate(raws)], epoch=1, lake=lake)
    (body,) = stored.values()
    lines = list(read_lines(gzip.decompress(body).splitlines()))
    assert len(lines) == len(raws)
    assert body == pack(lines)


def test_objects_of_the_quarantine() -> None:
    good = {"reason": "r", "shard": "s", "sequence_number": "1", "partition_key": "k", "data": "aGk="}
    good["arrived_at"] = "2026-01-01T00:00:00Z"
    random, key, outcomes = Random(1), "quarantine/date=2026-01-01/1-shard-1.json", Counter[object]()
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        for _ in range(150):
            broken = (broken_entry(random, good), broken_body(random, json.dumps(good).encode()))
            client.put_object(Bucket="lake", Key=key, Body=random.choice(broken))
            with noting(CorruptData) as caught:
                (found,) = Quarantine(client, "lake").records()
                outcomes["read"] += found.key == key
            outcomes.update(key in str(error) for error in caught)
    assert outcomes.keys() == {"read", True}


METRIC = {
    "_aws": {
        "Timestamp": 1_767_225_600_000,
        "CloudWatchMetrics": [
            {"Namespace": "Attune", "Dimensions": [["d"]], "Metrics": [{"Name": "Clicks"}]}
        ],
    },
    "d": "x",
    "Clicks": 1,
}


@given(entries(METRIC) | entries(METRIC["_aws"]).map(lambda raw: b'{"_aws":' + raw + b',"d":"x","Clicks":1}'))
def test_metric_lines(raw: bytes) -> None:
    points = parsed(lambda: emf.parse(raw.decode(errors="replace")))
    assert points is not None
    assert all(isinstance(value, float) for point in points for value in point.values)


_words = st.sampled_from(
    [
        "m1",
        "1",
        "0",
        "1e400",
        "IF",
        "FILL",
        "MAX",
        "ABS",
        "(",
        ")",
        ",",
        "+",
        "-",
        "^",
        "/",
        ">",
        "AND",
        "=",
        ".",
        "lambda",
    ]
)


@given(
    st.lists(_words, max_size=14).map(" ".join)
    | texts
    | st.sampled_from(["-" * 90_000 + "1", "1+" * 9_000 + "1"])
)
def test_metric_math(expression: str) -> None:
    parsed(lambda: metric_math.names(expression), MetricMathError)
    for points in ({"m1": 2.0}, {"m1": None}, {"m1": float("nan")}):
        value = parsed(lambda points=points: metric_math.evaluate(expression, points), MetricMathError)
        assert value is None or isinstance(value, float)
