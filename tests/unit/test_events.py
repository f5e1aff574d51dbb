"""What a client may send."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from factories import NOW, client_event
from personalization.errors import InvalidEvent
from personalization.events import Event, accept, decode_client_event, decode_event, decode_item, encode_event


def accepted(body: dict[str, object], **arguments: object) -> Event:
    parsed = decode_client_event(json.dumps(body).encode())
    return accept(parsed, user_key="key", received_at=NOW, **arguments)


def refusal(body: object) -> str:
    with pytest.raises(InvalidEvent) as caught:
        accepted(body)
    return caught.value.code


def test_times_become_utc() -> None:
    event = accepted(client_event(occurred_at="2026-01-15T12:00:00+02:00"))
    assert event.occurred_at == datetime(2026, 1, 15, 10, tzinfo=UTC)
    assert b'"2026-01-15T10:00:00Z"' in encode_event(event)


def test_a_canonical_event_survives_the_stream() -> None:
    event = accepted(client_event("rating", context={"device": "mobile", "country": "de"}))
    assert decode_event(encode_event(event)) == event


def test_the_user_id_does_not_reach_the_stream() -> None:
    assert b"ann" not in encode_event(accepted(client_event()))


def test_an_identify_names_the_visitor_by_a_pseudonym() -> None:
    event = accepted(client_event("identify", visitor_id="visitor-7"), visitor_key="pseudonym")
    assert event.visitor_key == "pseudonym"
    assert b"visitor-7" not in encode_event(event)
    assert decode_event(encode_event(event)) == event


def test_a_visitor_is_named_by_an_identify_only_and_is_somebody_else() -> None:
    assert refusal(client_event("click", visitor_id="visitor-7")) == "unexpected_field"
    assert refusal(client_event("identify", visitor_id="ann")) == "invalid_field"
    assert refusal(client_event("identify", visitor_id="")) == "invalid_field"


def test_a_crawlers_event_is_marked_and_its_user_agent_dropped() -> None:
    body = client_event(context={"user_agent": "Googlebot/2.1", "device": "desktop"})
    event = accepted(body, is_bot=lambda agent: "bot" in agent)
    assert event.bot
    assert event.context.user_agent is None
    assert event.context.device == "desktop"


def test_a_clock_a_little_ahead_is_set_back_to_arrival() -> None:
    assert accepted(client_event(occurred_at="2026-01-15T12:04:00Z")).occurred_at == NOW


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"occurred_at": "2026-01-15T12:06:00Z"}, "occurred_in_future"),
        ({"occurred_at": "1989-12-31T00:00:00Z"}, "occurred_too_early"),
        ({"occurred_at": "2026-01-15T12:00:00"}, "invalid_field"),
        ({"occurred_at": 12}, "invalid_field"),
        ({"occurred_at": "0001-01-01T00:00:00+10:00"}, "occurred_too_early"),
        ({"occurred_at": "9999-12-31T23:59:59-10:00"}, "occurred_in_future"),
        ({"user_id": "ann\n"}, "invalid_field"),
        ({"surface": "home\n"}, "invalid_field"),
        ({"item_id": "\U0001f600" * 40}, "invalid_field"),
        ({"event_type": "teleport"}, "invalid_field"),
        ({"event_type": "item_upserted"}, "forbidden_type"),
        ({"user_id": ""}, "invalid_field"),
        ({"user_id": None}, "invalid_field"),
        ({"user_id": "a\x00b"}, "invalid_field"),
        ({"user_id": "x" * 129}, "invalid_field"),
        ({"item_id": None}, "missing_field"),
        ({"item_ids": ["a"]}, "unexpected_field"),
        ({"event_type": "impression", "item_ids": None}, "missing_field"),
        ({"event_type": "rating", "value": None}, "missing_field"),
        ({"event_type": "rating", "value": 11}, "invalid_field"),
        ({"value": -1}, "invalid_field"),
        ({"value": 1e300}, "invalid_field"),
        ({"event_type": "consent_changed", "item_id": None}, "missing_field"),
        ({"schema_version": 2}, "invalid_field"),
        ({"surface": "Home Page!"}, "invalid_field"),
        ({"context": {"country": "Germany"}}, "invalid_field"),
        ({"recommendation_id": "x" * 3_000}, "invalid_field"),
    ],
)
def test_a_broken_event_is_refused_with_a_code(change: dict[str, object], code: str) -> None:
    assert refusal(client_event(**change)) == code


@pytest.mark.parametrize("raw", [b"", b"{", b'"text"', b"[]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_an_event_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_client_event(raw)
    assert caught.value.code in ("invalid_json", "invalid_field", "too_large")


def test_an_oversized_event_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidEvent, match="too_large"):
        decode_client_event(b'{"padding":"' + b"x" * 40_000 + b'"}')


@pytest.mark.parametrize("referrer", ["https://www.google.com/search?q=" + "s" * 1_900, "search", "organic"])
def test_of_a_referrer_the_medium_stays_and_the_address_goes(referrer: str) -> None:
    event = accepted(client_event(context={"referrer": referrer}))
    assert event.context.referrer == "search"
    assert b"google" not in encode_event(event)
    assert decode_event(encode_event(event)) == event


def test_a_referrer_that_tells_nothing_is_dropped_and_an_empty_one_is_direct() -> None:
    assert accepted(client_event(context={"referrer": "partner-42"})).context.referrer is None
    assert accepted(client_event(context={"referrer": ""})).context.referrer == "direct"
    assert accepted(client_event(context={})).context.referrer is None


def test_an_event_may_be_as_late_as_it_likes_and_still_be_accepted() -> None:
    old = (NOW - timedelta(days=900)).isoformat()
    assert accepted(client_event(occurred_at=old)).received_at == NOW


def test_an_event_at_the_size_limit_can_be_read_back() -> None:
    quoted = client_event(recommendation_id='"' * 1_000, context={"referrer": "r" * 250})
    start = json.dumps(quoted | {"unknown": ""}).encode()[:-2]
    padded = start + b"x" * (32 * 1024 - len(start) - 2) + b'"}'
    event = accept(decode_client_event(padded), user_key="key", received_at=NOW)
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize(
    "change", [{"published_at": "0001-01-01T00:00:00+10:00"}, {"item_id": "\U0001f600" * 40}, {"price": -1}]
)
def test_a_broken_item_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidEvent, match="invalid_field"):
        decode_item(json.dumps({"item_id": "a"} | change).encode())
