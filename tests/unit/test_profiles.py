"""The reducer: order-free, exact, bounded."""

from array import array
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from factories import NOW, event
from personalization.errors import CorruptData
from personalization.events import Context, Event, EventType
from personalization.ledger import SeenIds
from personalization.names import Consent
from personalization.profile_encoding import FORMAT_VERSION, decode, encode
from personalization.profile_merging import merge
from personalization.profiles import (
    MAX_RECENT,
    MAX_SHOWN,
    SHOWN_HOURS,
    Facts,
    Outcome,
    Profile,
    apply,
    at_seconds,
    forgotten,
    item_hash,
    segment_of,
)

USER_TYPES = [kind for kind in EventType if kind is not EventType.ITEM_UPSERTED]


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event of a user, of a small world so that items, times and ids collide."""
    kind = draw(st.sampled_from(USER_TYPES))
    happened = NOW - timedelta(hours=draw(st.integers(0, 24 * 50)))
    fields = {
        "event_id": f"e{draw(st.integers(0, 10_000))}",
        "occurred_at": happened,
        "received_at": happened + timedelta(days=draw(st.sampled_from([0, 0, 1, 6, 8]))),
        "surface": draw(st.sampled_from([None, "home", "cart", "product", "search", "mail", "deals"])),
        "bot": draw(st.integers(0, 9)) == 0,
        "since": draw(st.sampled_from([0, 0, 0, 1, 2])),
        "context": Context(
            country=draw(st.sampled_from([None, "de", "FR"])),
            referrer=draw(st.sampled_from([None, "search", "direct", "partner-42", "https://t.co/x"])),
        ),
    }
    if kind is EventType.IMPRESSION:
        fields["item_ids"] = draw(st.lists(st.integers(0, 90).map("sku-{}".format), min_size=1, max_size=8))
    elif kind is EventType.CONSENT_CHANGED:
        fields["consent"] = draw(st.sampled_from(list(Consent))).value
    elif kind is EventType.USER_UPSERTED:
        name = draw(st.sampled_from("abcdefghijklm"))
        fields["attributes"] = {name: draw(st.sampled_from("xyz"))}
    if kind in (EventType.RATING, EventType.DWELL, EventType.PURCHASE):
        fields["value"] = draw(st.sampled_from([0.5, 1.0, 4.99, 5.0]))
    return event(kind, f"sku-{draw(st.integers(0, 400))}", **fields)


def fold(stream: list[Event]) -> Profile:
    profile = Profile()
    for one in stream:
        apply(profile, one)
    return profile


@settings(max_examples=60, deadline=None)
@given(st.lists(events(), max_size=300), st.randoms(use_true_random=False))
def test_any_order_of_events_ends_in_the_same_bytes(stream: list[Event], random) -> None:
    shuffled = list(stream)
    random.shuffle(shuffled)
    assert encode(fold(shuffled)) == encode(fold(stream))


@settings(max_examples=60, deadline=None)
@given(st.lists(events(), max_size=200), st.integers(1, 20))
def test_storing_between_batches_equals_one_pass(stream: list[Event], batch: int) -> None:
    live = encode(Profile())
    for start in range(0, len(stream), batch):
        profile = decode(live)
        for one in stream[start : start + batch]:
            apply(profile, one)
        live = encode(profile)
    assert live == encode(fold(stream))


@settings(max_examples=40, deadline=None)
@given(st.lists(events(), min_size=1, max_size=30, unique_by=lambda one: one.event_id), st.data())
def test_repeated_events_within_the_window_change_nothing(stream: list[Event], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(stream), max_size=30))
    profile, seen = Profile(), SeenIds()
    for one in [*stream, *repeats]:
        if seen.add(one.event_id):
            apply(profile, one)
    assert encode(profile) == encode(fold(stream))


def test_a_heavy_user_keeps_the_newest_acts_and_stays_below_four_kilobytes() -> None:
    stream = [
        event("purchase", f"article-number-{n:05}", occurred_at=NOW + timedelta(minutes=n), value=9.99)
        for n in range(2_000)
    ]
    stream += [
        event("impression", item_ids=(f"sku-{n}",), occurred_at=NOW + timedelta(hours=n)) for n in range(500)
    ]
    stored = encode(fold(stream))
    profile = decode(stored)
    assert next(iter(profile.recent)) == "article-number-01999"
    assert len(profile.recent) == MAX_RECENT
    assert len(profile.shown) == MAX_SHOWN
    assert profile.spent_cents == 2_000 * 999
    assert len(stored) < 4_096


def test_a_late_event_changes_nothing() -> None:
    profile = Profile()
    outcome = apply(profile, event(received_at=NOW + timedelta(days=7, seconds=1)))
    assert outcome is Outcome.LATE
    assert profile == Profile()


def test_an_event_exactly_at_the_late_window_counts() -> None:
    assert apply(Profile(), event(received_at=NOW + timedelta(days=7))) is Outcome.APPLIED


def test_a_bots_event_changes_nothing() -> None:
    profile = Profile()
    assert apply(profile, event(bot=True)) is Outcome.BOT
    assert profile == Profile()


def test_only_deliberate_acts_raise_the_revision() -> None:
    profile = fold([event("impression"), event("view"), event("dwell", value=3.0), event("click")])
    assert profile.revision == 1


def test_bought_and_rated_items_are_owned() -> None:
    profile = fold([event("purchase", "a"), event("rating", "b", value=1.0), event("click", "c")])
    assert profile.owned == {item_hash("a"): at_seconds(NOW), item_hash("b"): at_seconds(NOW)}


def test_the_latest_word_on_country_wins() -> None:
    later = NOW + timedelta(seconds=1)
    profile = fold(
        [
            event("user_upserted", None, attributes={"country": "FR"}, occurred_at=later),
            event("user_upserted", None, attributes={"country": "DE"}),
        ]
    )
    assert profile.attribute("country") == "FR"


def test_of_two_words_the_later_counts_and_of_one_second_the_stricter() -> None:
    later = NOW + timedelta(seconds=1)
    late = {"occurred_at": NOW, "received_at": NOW + timedelta(days=40)}
    profile = fold(
        [
            word("none", occurred_at=later),
            word("functional", occurred_at=later),
            word("personalization", **late),
        ]
    )
    assert profile.standing(Consent.PERSONALIZATION) == (Consent.NONE, at_seconds(later), profile.since)
    assert Profile().standing(Consent.FUNCTIONAL) == (Consent.FUNCTIONAL, 0, 0)


def word(consent: str, **fields: object) -> Event:
    return event("consent_changed", None, consent=consent, **fields)


def test_taking_consent_back_leaves_the_word_alone_whatever_was_applied_or_comes_late() -> None:
    moments = [NOW + timedelta(minutes=minute) for minute in range(4)]
    before, late = (event("click", f"sku-{n}", occurred_at=moments[n]) for n in (0, 1))
    withdrawn = word("none", occurred_at=moments[2])
    profile = fold([before, withdrawn])
    assert apply(profile, late) is Outcome.WITHDRAWN
    assert profile == forgotten(profile)
    agreed = word("personalization", occurred_at=moments[3])
    fresh = event("click", "sku-3", occurred_at=moments[3], since=profile.since)
    for one in (agreed, fresh, before, withdrawn):
        apply(profile, one)
    assert (list(profile.recent), profile.revision) == (["sku-3"], 1)
    assert profile.standing(Consent.FUNCTIONAL).personal


def test_a_profile_stored_before_consent_could_be_taken_back_is_read() -> None:
    stored = msgspec.msgpack.decode(encode(fold([event("click", "a")])))
    assert decode(msgspec.msgpack.encode(stored[:-1])) == fold([event("click", "a")])


def test_an_item_shown_again_counts_once_an_hour() -> None:
    hour = at_seconds(NOW) // 3_600
    moments = [NOW, NOW + timedelta(minutes=59), NOW + timedelta(minutes=60), NOW + timedelta(hours=30)]
    profile = fold([event("impression", item_ids=("a", "a"), occurred_at=moment) for moment in moments])
    assert profile.shown == {(hour + after, item_hash("a")) for after in (0, 1, 30)}


def test_what_was_shown_a_month_before_the_newest_is_forgotten() -> None:
    hours = (0, 1, SHOWN_HOURS)
    slates = [event("impression", item_ids=("a",), occurred_at=NOW + timedelta(hours=hour)) for hour in hours]
    profile = decode(encode(fold(slates)))
    assert sorted(hour - at_seconds(NOW) // 3_600 for hour, _ in profile.shown) == [1, SHOWN_HOURS]


def test_a_profile_stored_before_impressions_were_counted_is_read_and_stored_anew() -> None:
    stored = bytearray(encode(fold([event("click", "a")])))
    assert stored[1] == FORMAT_VERSION
    old = msgspec.msgpack.decode(stored)
    old[0], old[8] = 1, array("I", [item_hash("a"), at_seconds(NOW), 7, at_seconds(NOW) + 5_400]).tobytes()
    profile = decode(msgspec.msgpack.encode(old))
    hour = at_seconds(NOW) // 3_600
    assert profile.shown == {(hour, item_hash("a")), (hour + 1, 7)}
    assert decode(encode(profile)) == profile


@pytest.mark.parametrize("shown", [b"\x01", bytes(11), bytes(13)])
def test_a_damaged_profile_is_refused(shown: bytes) -> None:
    damaged = msgspec.msgpack.decode(encode(Profile()))
    damaged[8] = shown
    with pytest.raises(CorruptData):
        decode(msgspec.msgpack.encode(damaged))


@pytest.mark.parametrize("data", [b"\x91\x01", b"", b"\x9e\x03" + encode(Profile())[2:]])
def test_a_profile_of_an_unknown_format_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptData):
        decode(data)


def test_a_segment_is_named_by_what_is_known() -> None:
    assert segment_of(Facts("DE", "mobile", "search")) == "country=DE,device=mobile,referrer=search"
    assert segment_of(Facts("DE")) == "country=DE"
    assert segment_of(Facts()) == "everybody"


def test_of_a_referrer_a_profile_keeps_the_medium_only() -> None:
    """Also of an event that was accepted when the lake still kept addresses."""
    profile = fold([event("view", context=Context(referrer="https://www.google.com/search?q=a+secret"))])
    assert profile.facts == Facts(referrer="search")
    assert b"secret" not in encode(profile)
    later = event("view", context=Context(referrer="partner-42"), occurred_at=NOW + timedelta(seconds=1))
    apply(profile, later)
    assert profile.facts == Facts(referrer="search")


def test_facts_are_the_latest_word_however_they_were_said() -> None:
    attributes = {"country": "fr", "device": "tv", "referrer": "Newsletter"}
    profile = fold([event("user_upserted", None, attributes=attributes)])
    assert profile.facts == Facts("FR", "tv", "email")
    assert Profile().facts == Facts()


ACTS = events().filter(lambda act: act.consent is None).map(lambda act: replace(act, since=0))
"""What a merge brings together; consent stays with the key that gave it."""
HALVES = st.lists(st.tuples(ACTS, st.booleans()), max_size=250)


@settings(max_examples=60, deadline=None)
@given(HALVES, st.integers(0, 250), st.integers(0, 250))
def test_a_merged_profile_is_that_of_all_events_of_both(
    rows: list[tuple[Event, bool]], merged_at: int, stored_at: int
) -> None:
    """Whatever came before the merge and after it, of either, and wherever the halves were stored."""
    user, visitor = Profile(), Profile()
    for place, (happened, of_visitor) in enumerate(rows):
        if place == merged_at:
            user, visitor = merge(user, visitor), Profile()
        if place == stored_at:
            user, visitor = decode(encode(user)), decode(encode(visitor))
        apply(visitor if of_visitor and place < merged_at else user, happened)
    assert encode(merge(user, visitor)) == encode(fold([happened for happened, _ in rows]))


@settings(max_examples=40, deadline=None)
@given(*[st.lists(ACTS, max_size=100).map(fold)] * 3)
def test_profiles_merge_in_any_order(one: Profile, two: Profile, three: Profile) -> None:
    assert encode(merge(one, two)) == encode(merge(two, one))
    assert encode(merge(merge(one, two), three)) == encode(merge(one, merge(two, three)))
    assert encode(merge(one, Profile())) == encode(one)
