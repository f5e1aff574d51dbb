"""From slates to columns: what was shown where, and what became of it, known only once it has."""

import tracemalloc
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, event
from personalization.events import Event, Item
from personalization.profiles import LATE_WINDOW, at_seconds
from training.acts import ActLog, collect
from training.dataset import load_dataset, make_dataset, save_dataset
from training.impressions import ATTRIBUTION_SECONDS, Impressions
from training.split import Stage

ITEMS = [Item(item_id=item_id) for item_id in "abc"]


def slate(items: str, *, seconds: int = 0, user: str = "user-1", **fields: object) -> Event:
    at = NOW + timedelta(seconds=seconds)
    return event("impression", item_ids=tuple(items), occurred_at=at, user_key=user, **fields)


def click(item: str, *, seconds: int, user: str = "user-1") -> Event:
    return event("click", item, occurred_at=NOW + timedelta(seconds=seconds), user_key=user)


def rows(log: ActLog, shown: Impressions) -> list[tuple[str, str, int, int, bool]]:
    columns = (shown.user, shown.item, shown.at - at_seconds(NOW), shown.position, shown.clicked)
    return [
        (log.users[user], log.items[item].item_id, at, position, clicked)
        for user, item, at, position, clicked in zip(*(c.tolist() for c in columns), strict=True)
    ]


def test_a_slate_becomes_a_row_an_item_with_its_place_and_outcome() -> None:
    log = collect([slate("ab", seconds=5, user="u2"), slate("ca"), click("a", seconds=9)], ITEMS)
    assert rows(log, log.shown) == [
        ("u2", "a", 5, 0, False),
        ("u2", "b", 5, 1, False),
        ("user-1", "c", 0, 0, False),
        ("user-1", "a", 0, 1, True),
    ]


def test_bots_late_slates_and_unknown_items_are_passed_over() -> None:
    late = slate("a", seconds=1, received_at=NOW + LATE_WINDOW + timedelta(seconds=2))
    log = collect([slate("a", bot=True), late, slate("xbx", seconds=2)], ITEMS)
    assert rows(log, log.shown) == [("user-1", "b", 2, 1, False)]
    assert [item.item_id for item in log.items] == [item.item_id for item in collect([], ITEMS).items]


def test_a_slate_sent_twice_counts_once_and_another_of_the_same_second_counts_too() -> None:
    log = collect([slate("ab"), slate("ab"), slate("ba"), slate("ab", user="u2")], ITEMS)
    assert [(user, item) for user, item, *_ in rows(log, log.shown)] == [
        ("u2", "a"),
        ("u2", "b"),
        ("user-1", "a"),
        ("user-1", "b"),
        ("user-1", "b"),
        ("user-1", "a"),
    ]


def test_no_impressions_are_empty_columns() -> None:
    log = collect([click("a", seconds=0)], ITEMS)
    assert len(log.shown) == len(Impressions.none()) == 0
    assert len(log.shown.mature_before(np.array([10]))) == 0


times = st.integers(0, 2 * ATTRIBUTION_SECONDS)
who_what_when = st.tuples(st.sampled_from(["u1", "u2"]), st.sampled_from("abc"), times)


@given(st.lists(who_what_when, unique=True), st.lists(who_what_when))
def test_an_act_is_credited_to_the_latest_impression_within_the_window(
    shown: list[tuple[str, str, int]], acts: list[tuple[str, str, int]]
) -> None:
    events = [slate(item, seconds=at, user=user) for user, item, at in shown]
    events += [click(item, seconds=at, user=user) for user, item, at in acts]
    log = collect(events, ITEMS)
    expected = set()
    for user, item, at in acts:
        before = [one for one in shown if one[:2] == (user, item) and one[2] <= at]
        latest = max(before, key=lambda one: one[2], default=None)
        if latest and at - latest[2] < ATTRIBUTION_SECONDS:
            expected.add(latest)
    assert {row[:3] for row in rows(log, log.shown) if row[4]} == expected
    assert {row[:3] for row in rows(log, log.shown)} == set(shown)


@given(st.lists(who_what_when, max_size=8), st.lists(who_what_when, max_size=8), times)
def test_what_is_known_before_a_cut_is_the_same_whatever_comes_after(
    shown: list[tuple[str, str, int]], acts: list[tuple[str, str, int]], cut: int
) -> None:
    """Outcomes too: they are read once off the whole log."""
    events = [slate(item, seconds=at, user=user) for user, item, at in shown]
    events += [click(item, seconds=at, user=user) for user, item, at in acts]
    before = [one for one in events if at_seconds(one.received_at) < at_seconds(NOW) + cut]
    mature = []
    for log in (collect(events, ITEMS), collect(before, ITEMS)):
        cuts = np.full(len(log.users), at_seconds(NOW) + cut)
        mature.append(rows(log, log.shown.mature_before(cuts)))
    assert mature[0] == mature[1]


def test_what_led_to_acts_held_back_is_held_back_with_them() -> None:
    hour = ATTRIBUTION_SECONDS
    events = [
        slate("a"),
        click("a", seconds=5),
        slate("b", seconds=2 * hour),
        click("b", seconds=2 * hour + 5),
    ]
    log = collect(events, ITEMS)
    assert rows(log, log.without_last(1).shown) == [("user-1", "a", 0, 0, True)]
    assert rows(log, log.without_last(5).shown) == []
    assert log.without_last(0) == log


def test_an_item_shown_costs_less_than_eighty_bytes_while_it_is_read() -> None:
    one = slate("abcabcabca")
    times = [NOW + timedelta(seconds=second) for second in range(20_000)]
    events = [msgspec.structs.replace(one, received_at=at) for at in times]
    tracemalloc.start()
    log = collect(events, ITEMS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(log.shown) == 10 * len(events)
    assert peak / len(log.shown) < 80


def test_a_dataset_keeps_its_impressions_on_disk(tmp_path: Path) -> None:
    events = [slate("ab"), click("b", seconds=9), slate("c", seconds=9_999)]
    dataset = make_dataset(lambda: iter(events), ITEMS)
    save_dataset(dataset, tmp_path)
    loaded = load_dataset(tmp_path)
    assert rows(loaded.log, loaded.log.shown) == rows(dataset.log, dataset.log.shown)
    assert len(rows(loaded.log, loaded.log.shown)) == 3


def test_the_last_hour_of_a_log_waits_for_its_outcome() -> None:
    events = [slate("a"), slate("b", seconds=ATTRIBUTION_SECONDS)]
    dataset = make_dataset(lambda: iter(events), ITEMS)
    assert rows(dataset.log, dataset.shown(Stage.SERVE)) == [("user-1", "a", 0, 0, False)]
