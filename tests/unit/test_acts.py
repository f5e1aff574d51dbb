"""From events to columns: what counts as an act, what is owned, and what is passed over."""

import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, client_event, event
from personalization.events import Item, upsert_item
from personalization.profiles import LATE_WINDOW, item_hash
from training.acts import ActLog, Acts, collect
from training.sources import Rejects, exported_events


def acts_of(log: ActLog, acts: Acts) -> list[tuple[str, str]]:
    return [
        (log.users[user], log.items[item].item_id)
        for user, item in zip(acts.user.tolist(), acts.item.tolist(), strict=True)
    ]


def test_what_people_do_counts_and_what_they_are_shown_does_not() -> None:
    log = collect([event("impression"), event("click", "a"), event("dislike", "b"), event("purchase", "c")])
    assert sorted(acts_of(log, log.acts)) == [("user-1", "a"), ("user-1", "c")]
    assert log.events == 4


def test_a_low_rating_is_owned_and_no_act() -> None:
    log = collect([event("rating", "good", value=4.0), event("rating", "bad", value=1.0)])
    assert acts_of(log, log.acts) == [("user-1", "good")]
    assert sorted(acts_of(log, log.owned)) == [("user-1", "bad"), ("user-1", "good")]


def test_a_retry_counts_once() -> None:
    log = collect([event("click", "a"), event("view", "b"), event("click", "a")])
    assert sorted(acts_of(log, log.acts)) == [("user-1", "a"), ("user-1", "b")]


def test_of_equal_acts_the_first_keeps_its_place_among_those_of_its_second() -> None:
    log = collect([event("click", item) for item in ("c", "a", "b", "a", "c", "d")])
    assert acts_of(log, log.acts) == [("user-1", item) for item in ("c", "a", "b", "d")]


def test_acts_that_differ_in_kind_or_second_all_count() -> None:
    later = NOW + timedelta(seconds=1)
    log = collect([event("click", "a"), event("purchase", "a"), event("click", "a", occurred_at=later)])
    assert log.acts.weight.tolist() == [1.0, 3.0, 1.0]
    assert np.diff(log.acts.at).tolist() == [0, 1]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3, st.sampled_from(["click", "view", "purchase"]))))
def test_acts_are_those_of_the_log_each_once(rows: list[tuple[int, int, int, str]]) -> None:
    log = collect(
        event(kind, f"i{item}", user_key=f"u{user}", received_at=NOW + timedelta(seconds=second))
        for user, item, second, kind in rows
    )
    once = dict.fromkeys(rows)
    expected = [
        (f"u{user}", f"i{item}") for user, item, _, _ in sorted(once, key=lambda row: (row[0], row[2]))
    ]
    assert acts_of(log, log.acts) == expected
    assert len(log.owned) == sum(kind == "purchase" for *_, kind in once)


def test_an_act_costs_less_than_a_hundred_bytes() -> None:
    one = event("click")
    events = [msgspec.structs.replace(one, received_at=NOW + timedelta(seconds=at)) for at in range(20_000)]
    tracemalloc.start()
    collect(events)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / len(events) < 100


def test_bots_and_late_events_are_passed_over_as_in_profiles() -> None:
    late = NOW - LATE_WINDOW - timedelta(seconds=1)
    log = collect([event("click", "a", bot=True), event("click", "b", occurred_at=late, received_at=NOW)])
    assert len(log.acts) == 0
    assert log.users == ("user-1",)


def test_acts_are_ordered_by_user_and_then_by_arrival() -> None:
    rows = [("b", "x", 3), ("a", "y", 2), ("b", "z", 1), ("a", "w", 5)]
    log = collect(
        event("click", item, user_key=user, occurred_at=NOW + timedelta(minutes=at))
        for user, item, at in rows
    )
    assert acts_of(log, log.acts) == [("a", "y"), ("a", "w"), ("b", "z"), ("b", "x")]


def test_the_order_of_the_catalogue_does_not_follow_ids() -> None:
    """Ties go to the earlier item: where ids follow time, an order by id would give the answer away."""
    log = collect([event("click", f"sku-{number}") for number in range(50)])
    ids = [item.item_id for item in log.items]
    assert ids == sorted(ids, key=item_hash) != sorted(ids)


def test_the_latest_version_of_an_item_counts_and_unknown_items_get_a_bare_one() -> None:
    listed = [Item(item_id="a", title="old")]
    changed = upsert_item(Item(item_id="a", title="new"), event_id="i", received_at=NOW)
    log = collect([changed, event("click", "b")], listed)
    assert {item.item_id: item.title for item in log.items} == {"a": "new", "b": None}


def test_an_export_leaves_out_bots_and_counts_bad_lines_of_one_pass(tmp_path: Path) -> None:
    crawler = {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    rows = [client_event(), client_event(context=crawler, event_id="2"), client_event("clikc")]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rejects = Rejects()
    for _ in range(2):
        events = list(exported_events([path], rejects))
    assert [found.bot for found in events] == [False, True]
    assert dict(rejects.counts) == {"invalid_field": 1}
    assert rejects.examples[0].startswith("events.jsonl:3: ")


def test_an_export_may_not_tell_of_times_that_profiles_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(client_event(occurred_at="9999-01-01T00:00:00Z")))
    rejects = Rejects()
    assert not list(exported_events([path], rejects))
    assert dict(rejects.counts) == {"occurred_in_future": 1}


def test_each_users_last_acts_can_be_held_back() -> None:
    user = np.array([0, 0, 0, 1, 2, 2])
    every = Acts(user, np.arange(6), np.arange(6), np.ones(6, dtype=np.float32))
    assert every.without_last(1).item.tolist() == [0, 1, 4]
    assert every.without_last(2).item.tolist() == [0]
    assert len(every.without_last(0)) == 6
    assert len(every.without_last(9)) == 0


def test_what_a_visitor_did_is_done_by_whom_they_turned_out_to_be() -> None:
    moments = [NOW + timedelta(seconds=second) for second in range(6)]
    seen = event("impression", item_ids=["a", "b"], user_key="v", occurred_at=moments[0])
    acts = [
        event("click", item, user_key=user, occurred_at=at)
        for item, user, at in (("a", "v", moments[1]), ("c", "u", moments[2]), ("b", "u", moments[5]))
    ]
    signed_in = event("identify", None, user_key="u", visitor_key="v", occurred_at=moments[3])
    events = [seen, *acts, signed_in]
    log = collect(events)
    as_one = collect([msgspec.structs.replace(row, user_key="u", visitor_key="") for row in events])
    assert log.users == as_one.users == ("u",)
    assert log.merged_into == {"v": "u"}
    for mine, theirs in ((log.acts, as_one.acts), (log.shown, as_one.shown)):
        for name in mine.__dataclass_fields__:
            assert np.array_equal(getattr(mine, name), getattr(theirs, name))
    assert log.shown.clicked.tolist() == [True, True]
