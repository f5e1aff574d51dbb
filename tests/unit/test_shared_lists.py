"""Lists for visitors of whom little is known: who gets which, and what is on them."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from factories import NOW, event
from personalization.events import Context, Event, Item
from personalization.keys import POPULAR, TRENDING
from personalization.profiles import Facts, Profile, apply, at_seconds
from training.acts import ActLog, Acts, collect
from training.behaviour import observe
from training.facts import SUPPORT
from training.segments import Segment, Segmentation, Segments, segment_users
from training.shared_lists import EVERYBODY, RECENT_DAYS, group_scores, shared_lists
from training.tables import build_tables

AT = at_seconds(NOW)
ITEMS = [Item(item_id=f"item-{number}", category="AB"[number % 2]) for number in range(20)]
ALPINE = Context(country="CH", device="mobile")
COASTAL = Context(country="PT", device="mobile")


def log_of(events: list[Event]) -> tuple[ActLog, list[Profile]]:
    log = collect(events, ITEMS)
    profiles = {user: Profile() for user in log.users}
    for one in events:
        apply(profiles[one.user_key], one)
    return log, [profiles[user] for user in log.users]


def acts_of(user: str, numbers: list[int], context: Context, *, days: int = 3) -> list[Event]:
    return [
        event(
            "click", f"item-{number}", user_key=user, context=context, occurred_at=NOW - timedelta(days=days)
        )
        for number in numbers
    ]


def two_countries(each: int) -> list[Event]:
    """People of one country come to even items, those of the other to odd ones."""
    chance = np.random.default_rng(0)
    events = []
    for number in range(each):
        even, odd = chance.choice(10, 8, replace=False) * 2, chance.choice(10, 8, replace=False) * 2 + 1
        events += acts_of(f"ch-{number:04}", even.tolist(), ALPINE)
        events += acts_of(f"pt-{number:04}", odd.tolist(), COASTAL)
    return events


def scores_of(log: ActLog, profiles: list[Profile]) -> dict[str, np.ndarray]:
    popularity = np.bincount(log.acts.item, weights=log.acts.weight, minlength=len(log.items))
    return dict(group_scores(log.acts, segment_users(observe(profiles, log.items, AT)), popularity, AT))


def test_every_group_with_support_and_everybody_has_a_list() -> None:
    log, profiles = log_of(two_countries(SUPPORT))
    tables = build_tables(log.acts, log.items, at=at_seconds(NOW))
    lists = dict(shared_lists(tables, log.acts, profiles, NOW))
    assert set(lists) == {
        *(POPULAR, TRENDING, EVERYBODY, "device=mobile"),
        *(
            "country=CH",
            "country=CH,device=mobile",
            "country=PT",
            "country=PT,device=mobile",
        ),
    }
    assert {item.reason for item in lists["country=CH,device=mobile"]} == {"popular_near_you"}
    assert {item.reason for item in lists["device=mobile"]} == {"popular"}


def test_a_countrys_list_begins_with_what_its_people_come_to() -> None:
    log, profiles = log_of(two_countries(400))
    scores = scores_of(log, profiles)
    even = np.array([int(item.item_id.removeprefix("item-")) % 2 == 0 for item in log.items])
    for name in ("country=CH", "country=CH,device=mobile"):
        assert even[np.argsort(-scores[name])[:10]].all()
    assert scores["country=CH,device=mobile"][even].sum() > scores["country=CH"][even].sum() > 0.7


def test_a_small_group_keeps_close_to_everybody() -> None:
    log, profiles = log_of(two_countries(SUPPORT))
    scores = scores_of(log, profiles)
    assert np.abs(scores["country=CH"] - scores[EVERYBODY]).max() < 0.02


def test_an_item_counts_once_a_user_however_often_they_click_it() -> None:
    events = two_countries(SUPPORT)
    log, profiles = log_of(events)
    segmentation, popularity = segment_users(observe(profiles, log.items, AT)), np.ones(len(log.items))
    again = [replace(events[0], occurred_at=NOW - timedelta(hours=hour)) for hour in range(1, 50)]
    keen = collect([*events, *(replace(one, received_at=one.occurred_at) for one in again)], ITEMS)
    assert len(keen.acts) > len(log.acts)
    before, after = (dict(group_scores(one.acts, segmentation, popularity, AT)) for one in (log, keen))
    assert all(before[name].tolist() == after[name].tolist() for name in before)


def test_what_is_older_than_the_window_counts_through_popularity_only() -> None:
    events = two_countries(SUPPORT)
    log, profiles = log_of(events)
    segmentation, popularity = segment_users(observe(profiles, log.items, AT)), np.ones(len(log.items))
    older = collect([*events, *acts_of("ch-0000", [1, 3], ALPINE, days=RECENT_DAYS + 1)], ITEMS)
    assert len(older.acts) == len(log.acts) + 2
    before, after = (dict(group_scores(one.acts, segmentation, popularity, AT)) for one in (log, older))
    assert all(before[name].tolist() == after[name].tolist() for name in before)


@pytest.mark.parametrize("count", [0, 1, SUPPORT // 2 - 1])
def test_too_few_users_have_popular_and_trending_only(count: int) -> None:
    log, profiles = log_of(two_countries(count))
    tables = build_tables(log.acts, log.items, at=at_seconds(NOW))
    assert set(dict(shared_lists(tables, log.acts, profiles, NOW))) == {POPULAR, TRENDING}


def test_a_group_without_acts_of_its_own_gets_the_taste_of_its_segments() -> None:
    """Two crowds of one segment each, and people of whom only the country and the segment are known."""
    user = np.repeat(np.arange(800), 10)
    item = np.tile(np.arange(10) * 2, 800) + (user >= 400)
    acts = Acts(user, item, np.full(8000, at_seconds(NOW) - 60), np.ones(8000, dtype=np.float32))
    segments = tuple(Segment(name, "", 0, 0.0, {}) for name in ("even", "odd"))
    segmentation = Segmentation(
        Segments(users=860, segments=segments),
        np.repeat([0, 1, 0], [400, 400, 60]),
        [Facts()] * 800 + [Facts("PT")] * 60,
    )
    even = np.arange(20) % 2 == 0
    shares = {
        personas: {
            name: scores[even].sum()
            for name, scores in group_scores(acts, segmentation, np.ones(20), AT, personas=personas)
        }
        for personas in (True, False)
    }
    assert shares[True]["country=PT"] > 0.65
    assert shares[False]["country=PT"] == pytest.approx(0.5)
    assert shares[True][EVERYBODY] == pytest.approx(shares[False][EVERYBODY], abs=0.03)


def test_a_group_of_several_facts_gets_what_all_of_them_say() -> None:
    """A country comes to the first ten items, phones to even ones; of both together no act is known."""
    user = np.repeat(np.arange(800), 10)
    item = np.concatenate([np.tile(np.arange(10), 400), np.tile(np.arange(10) * 2, 400)])
    acts = Acts(user, item, np.full(8000, AT - 60), np.ones(8000, dtype=np.float32))
    segmentation = Segmentation(
        Segments(users=850, segments=(Segment("all", "", 850, 1.0, {}),)),
        np.zeros(850, dtype=np.int64),
        [Facts("CH")] * 400 + [Facts(None, "mobile")] * 400 + [Facts("CH", "mobile")] * 50,
    )
    scores = dict(group_scores(acts, segmentation, np.ones(20), AT))
    assert set(np.argsort(-scores["country=CH,device=mobile"])[:5].tolist()) == {0, 2, 4, 6, 8}
    assert scores["country=CH,device=mobile"][:10:2].sum() > scores["country=CH"][:10:2].sum()


@given(st.integers(0, 2**32 - 1), st.integers(SUPPORT, 120))
@settings(max_examples=15, deadline=None)
def test_scores_are_distributions_and_repeatable(seed: int, users: int) -> None:
    chance = np.random.default_rng(seed)
    events = []
    for number in range(users):
        context = Context(country=("CH", "PT")[number % 2], device=("mobile", "tv", None)[number % 3])
        numbers = chance.integers(0, 20, chance.integers(1, 5)).tolist()
        events += acts_of(f"user-{number:03}", numbers, context, days=int(chance.integers(0, 120)))
    log, profiles = log_of(events)
    scores = scores_of(log, profiles)
    assert EVERYBODY in scores
    for name, values in scores_of(log, profiles).items():
        assert values.sum() == pytest.approx(1)
        assert (values >= 0).all()
        assert values.tobytes() == scores[name].tobytes()


def test_a_catalogue_without_acts_is_spread_evenly() -> None:
    segmentation = segment_users(observe([], ITEMS, AT))
    whole = Segmentation(segmentation.summary, np.zeros(SUPPORT, dtype=np.int64), [Facts()] * SUPPORT)
    nothing = collect([], ITEMS).acts
    assert dict(group_scores(nothing, whole, np.zeros(20), AT))[EVERYBODY].tolist() == pytest.approx(
        [0.05] * 20
    )


def lists_of(events: list[Event], fewest: int) -> dict[str, list[tuple[str, float]]]:
    log, profiles = log_of(events)
    tables = build_tables(log.acts, log.items, at=at_seconds(NOW))
    found = shared_lists(tables, log.acts, profiles, NOW, fewest)
    return {name: [(item.item_id, item.score) for item in items] for name, items in found}


def of_crowds(crowds: dict[int, int], *, days: int) -> list[Event]:
    """So many users of an item, each once."""
    return [
        one
        for number, users in crowds.items()
        for user in range(users)
        for one in acts_of(f"{days}-{number}-{user}", [number], COASTAL, days=days)
    ]


@pytest.mark.parametrize("name", [POPULAR, TRENDING])
def test_what_a_user_fewer_than_the_floor_came_to_has_no_place_of_its_own(name: str) -> None:
    floor = 8
    crowds = of_crowds({3: floor, 5: floor - 1, 7: floor + 1}, days=3)
    often = [
        replace(one, event_id=f"again-{hour}", occurred_at=one.occurred_at - timedelta(hours=hour))
        for hour in range(1, 30)
        for one in acts_of("3-5-0", [5], COASTAL)
    ]
    told = lists_of([*crowds, *(replace(one, received_at=one.occurred_at) for one in often)], floor)[name]
    assert {item for item, _ in told[:2]} == {"item-3", "item-7"}
    assert [item for item, _ in told[2:]] == sorted(f"item-{n}" for n in range(20) if n not in (3, 7))
    assert all(score > 0 for _, score in told[:2])
    assert {score for _, score in told[2:]} == {0.0}


def test_what_too_few_made_a_trend_of_follows_as_it_is_popular() -> None:
    before = of_crowds({9: 30, 4: 20}, days=60)
    told = lists_of([*before, *of_crowds({2: 10, 4: 3}, days=3)], 10)
    assert [item for item, _ in told[TRENDING][:3]] == ["item-2", "item-9", "item-4"]
    assert [item for item, _ in told[POPULAR][:3]] == ["item-9", "item-4", "item-2"]


def test_a_floor_of_one_tells_all_and_a_higher_floor_than_users_tells_nothing() -> None:
    events = of_crowds({3: 2, 5: 1}, days=3)
    assert [item for item, score in lists_of(events, 1)[POPULAR] if score] == ["item-3", "item-5"]
    nothing = lists_of(events, 4)
    assert nothing[POPULAR] == nothing[TRENDING] == sorted((item.item_id, 0.0) for item in ITEMS)
