"""Batches at the front door: every event ends as accepted or as rejected with a reason."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, client_event
from personalization.adapters.memory import MemoryEventStream, MemoryTable
from personalization.consent_cache import ConsentCache
from personalization.errors import InvalidInput
from personalization.ingestion import Receipt, ingest_events, ingest_items
from personalization.names import Consent


def ingest(body: object, stream: MemoryEventStream | None = None, *, sent_by_bot: bool = False) -> Receipt:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ingest_events(
        raw,
        stream=stream or MemoryEventStream(),
        consents=ConsentCache(MemoryTable(), Consent.PERSONALIZATION),
        user_key=lambda user_id: f"key-{user_id}",
        is_bot=lambda agent: "bot" in agent,
        received_at=NOW,
        sent_by_bot=sent_by_bot,
    )


def test_one_bad_event_does_not_cost_the_others_their_place() -> None:
    stream = MemoryEventStream()
    receipt = ingest([client_event(), client_event(event_id=None), client_event(event_id="e-2")], stream)
    assert (receipt.accepted, [row.index for row in receipt.rejected]) == (2, [1])
    assert [event.event_id for event in stream.events] == ["e-1", "e-2"]


@pytest.mark.parametrize(
    "body", [client_event(), [client_event()], {"events": [client_event()]}], ids=["one", "array", "wrapped"]
)
def test_one_event_and_batches_are_taken_alike(body: object) -> None:
    assert ingest(body) == Receipt(accepted=1, rejected=[])


def test_user_and_visitor_travel_under_their_pseudonyms_in_the_users_order() -> None:
    stream = MemoryEventStream()
    ingest([client_event("identify", visitor_id="v"), client_event("identify", event_id="e-2")], stream)
    assert [(row.user_key, row.visitor_key) for row in stream.events] == [
        ("key-ann", "key-v"),
        ("key-ann", ""),
    ]
    assert {row.partition_key for row in stream.events} == {"key-ann"}


def test_events_the_stream_refuses_come_back_to_be_sent_again() -> None:
    stream = MemoryEventStream(refuse={"e-2"})
    receipt = ingest([client_event(), client_event(event_id="e-2")], stream)
    assert receipt.accepted == 1
    assert [(row.index, row.code) for row in receipt.rejected] == [(1, "stream_busy")]
    assert not receipt.throttled


def test_a_stream_that_takes_nothing_is_reported_as_busy() -> None:
    assert ingest(client_event(), MemoryEventStream(refuse={"e-1"})).throttled


def test_a_crawler_is_told_by_the_user_agent_of_its_events() -> None:
    stream = MemoryEventStream()
    agents = ["somebot/1.0", "Mozilla/5.0", None]
    ingest([client_event(context={"user_agent": agent} if agent else {}) for agent in agents], stream)
    assert [event.bot for event in stream.events] == [True, False, False]


def test_what_a_crawler_sends_itself_is_a_crawlers() -> None:
    stream = MemoryEventStream()
    ingest([client_event(), client_event(event_id="e-2")], stream, sent_by_bot=True)
    assert [event.bot for event in stream.events] == [True, True]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"nonsense", "invalid_json"),
        (b"[1, 2", "invalid_json"),
        (b"42", "invalid_json"),
        (b"[]", "empty_batch"),
        (b'{"events": 3}', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" + b"{}," * 500 + b"{}]", "too_many_events"),
        (b" " * (5 * 1024 * 1024 + 1), "body_too_large"),
    ],
)
def test_a_body_that_is_not_a_batch_is_refused_whole(body: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ingest(body)
    assert caught.value.code == code


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.just(client_event()),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=8,
            ),
            st.dictionaries(st.sampled_from([*client_event(), "value"]), st.text() | st.integers()),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_is_sent_is_accepted_or_rejected_once(batch: list[object]) -> None:
    stream = MemoryEventStream()
    try:
        receipt = ingest(json.dumps(batch).encode(), stream)
    except InvalidInput:
        assert stream.events == []
    else:
        assert receipt.accepted + len(receipt.rejected) == len(batch)
        assert receipt.accepted == len(stream.events)


def test_items_travel_as_events_of_their_own() -> None:
    stream = MemoryEventStream()
    body = json.dumps({"items": [{"item_id": "sku-1", "price": 3}, {"price": -1}]}).encode()
    receipt = ingest_items(body, stream=stream, new_id=lambda: "id", received_at=NOW)
    assert (receipt.accepted, [row.index for row in receipt.rejected]) == (1, [1])
    assert stream.events[0].item is not None
    assert stream.events[0].partition_key == "item:sku-1"
