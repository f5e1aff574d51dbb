"""Frequency capping's count: what was shown in vain, whatever order events came in."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, event
from personalization.events import Event
from personalization.exposure import WINDOW_HOURS, times_ignored
from personalization.profile_encoding import decode, encode
from personalization.profiles import Profile, apply, at_seconds, item_hash

HOUR = timedelta(hours=1)


def ignored(*stream: Event, after: timedelta = timedelta()) -> dict[int, int]:
    profile = Profile()
    for one in stream:
        apply(profile, one)
    return dict(times_ignored(decode(encode(profile)), at_seconds(NOW + after)))


def shown(*item_ids: str, ago: int) -> Event:
    return event("impression", item_ids=item_ids, occurred_at=NOW - ago * HOUR)


def acted(kind: str, item_id: str, ago: int) -> Event:
    return event(kind, item_id, occurred_at=NOW - ago * HOUR, value=1.0)


def test_every_hour_in_which_an_item_was_shown_in_vain_counts() -> None:
    found = ignored(shown("a", "b", ago=5), shown("a", ago=3), shown("a", "c", ago=0))
    assert found == {item_hash("a"): 3, item_hash("b"): 1, item_hash("c"): 1}


def test_an_item_that_was_clicked_is_not_ignored() -> None:
    assert ignored(shown("a", ago=3), shown("a", ago=2), acted("click", "a", 2)) == {}
    assert ignored(shown("a", ago=3), shown("a", ago=1), acted("view", "a", 2)) == {item_hash("a"): 1}


def test_a_purchase_that_newer_acts_pushed_out_of_the_history_still_counts_as_an_act() -> None:
    newer = [acted("click", f"sku-{number}", 1) for number in range(300)]
    assert ignored(shown("a", ago=3), acted("purchase", "a", 2), *newer) == {}


def test_what_was_shown_before_the_window_or_after_now_does_not_count() -> None:
    slate = shown("a", ago=0)
    assert ignored(slate, after=(WINDOW_HOURS - 1) * HOUR) == {item_hash("a"): 1}
    assert ignored(slate, after=WINDOW_HOURS * HOUR) == {}
    assert ignored(slate, after=-HOUR) == {}


events = st.builds(
    lambda impression, item, ago: shown(item, ago=ago) if impression else acted("click", item, ago),
    st.booleans(),
    st.integers(0, 30).map("sku-{}".format),
    st.integers(0, 24 * 40),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=300), st.randoms(use_true_random=False))
def test_any_order_of_events_counts_the_same(stream: list[Event], random) -> None:
    shuffled = list(stream)
    random.shuffle(shuffled)
    assert ignored(*shuffled) == ignored(*stream)


@settings(max_examples=30, deadline=None)
@given(st.lists(events, max_size=60))
def test_short_histories_are_counted_exactly(stream: list[Event]) -> None:
    hours = [(one.occurred_at - NOW) // HOUR for one in stream]
    expected: dict[int, set[int]] = {}
    for one, hour in zip(stream, hours, strict=True):
        item = one.item_ids[0] if one.item_ids else ""
        later = any(other.item_id == item and when >= hour for other, when in zip(stream, hours, strict=True))
        if item and not later and -WINDOW_HOURS < hour <= 0:
            expected.setdefault(item_hash(item), set()).add(hour)
    assert ignored(*stream) == {item: len(found) for item, found in expected.items()}
