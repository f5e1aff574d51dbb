"""The synthetic shop: repeatable, and silent about the tastes that rule it."""

import gzip
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from crawleruseragents import is_crawler

from personalization.errors import InvalidInput
from personalization.events import ClientEvent, accept, decode_client_event, decode_item
from personalization.profiles import LATE_WINDOW
from personalization.referrers import medium_of
from training.shop import COUNTRIES, DEVICES, REFERRERS, Shop, country_of, device_of, examination, referrer_of
from training.synthetic import main, simulate

END = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
USERS, ITEMS = 300, 120


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.open(seed=3, users=USERS, items=ITEMS)


@pytest.fixture(scope="module")
def lines(shop: Shop) -> list[bytes]:
    return simulate(shop, days=30, seed=3, end=END)


@pytest.fixture(scope="module")
def valid(lines: list[bytes]) -> list[ClientEvent]:
    return [event for event in map(_accepted, lines) if event is not None]


def _accepted(line: bytes) -> ClientEvent | None:
    try:
        event = decode_client_event(line)
        accept(event, user_key=event.user_id, received_at=END)
    except InvalidInput:
        return None
    return event


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    line = ["--users", "40", "--items", "30", "--days", "5", "--end", END.isoformat()]
    for name, seed in (("first", "1"), ("again", "1"), ("other", "2")):
        assert main(["--output", str(tmp_path / name), "--seed", seed, *line]) == 0
    written = {
        name: [(tmp_path / name / file).read_bytes() for file in ("events.jsonl.gz", "items.jsonl.gz")]
        for name in ("first", "again", "other")
    }
    assert written["first"] == written["again"] != written["other"]


def test_the_catalogue_follows_the_item_contract(shop: Shop) -> None:
    items = [decode_item(msgspec.json.encode(item)) for item in shop.catalogue()]
    assert [item.item_id for item in items] == list(shop.item_ids)
    assert all(item.title and item.tags and item.category and item.price for item in items)


def test_neither_events_nor_items_hold_a_taste(shop: Shop, valid: list[ClientEvent]) -> None:
    """The only numbers written are positions, ratings, seconds, and prices that the catalogue shows."""
    prices = {item.item_id: item.price for item in shop.catalogue()}
    for event in valid:
        if event.event_type == "purchase":
            assert event.value == prices[event.item_id or ""]
        elif event.event_type == "rating":
            assert event.value in (1, 2, 3, 4, 5)
        else:
            assert (event.value is None) == (event.event_type != "dwell")
        assert event.attributes is None
        assert (event.position is None) == (event.event_type != "click")


def test_the_newest_event_happens_at_the_end(valid: list[ClientEvent]) -> None:
    assert max(event.occurred_at for event in valid) == END
    assert min(event.occurred_at for event in valid) > END - timedelta(days=32)


def test_a_few_events_are_sent_again_with_the_same_id(valid: list[ClientEvent]) -> None:
    repeats = [count for count in Counter(event.event_id for event in valid).values() if count > 1]
    assert 0.003 < len(repeats) / len(valid) < 0.03
    assert set(repeats) == {2}


def test_a_few_events_come_late_and_some_too_late(valid: list[ClientEvent]) -> None:
    newest, lateness = END - timedelta(days=60), []
    for event in valid:
        newest = max(newest, event.occurred_at)
        lateness.append(newest - event.occurred_at)
    late = [gap for gap in lateness if gap > timedelta(minutes=55)]
    assert 0.003 < len(late) / len(lateness) < 0.03
    assert any(gap > LATE_WINDOW for gap in late)


def test_broken_lines_are_refused_for_different_reasons(lines: list[bytes]) -> None:
    codes: Counter[str] = Counter()
    for line in lines:
        try:
            event = decode_client_event(line)
            accept(event, user_key=event.user_id, received_at=END)
        except InvalidInput as error:
            codes[error.code] += 1
    assert 0.001 < codes.total() / len(lines) < 0.02
    assert set(codes) == {"invalid_json", "invalid_field", "missing_field"}


def test_bots_declare_themselves_and_click_without_looking(valid: list[ClientEvent]) -> None:
    rates = {}
    for bot in (False, True):
        kinds = Counter(event.event_type for event in valid if _is_bot(event) is bot)
        rates[bot] = kinds["click"] / kinds["impression"]
    assert rates[True] > 1.5 * rates[False] > 0


def _is_bot(event: ClientEvent) -> bool:
    return event.context.user_agent is not None and is_crawler(event.context.user_agent)


def test_people_click_what_meets_their_taste(shop: Shop, valid: list[ClientEvent]) -> None:
    rows = {item_id: row for row, item_id in enumerate(shop.item_ids)}
    clicks = [event for event in valid if event.event_type == "click" and event.user_id in shop.user_ids]
    clicked = [shop.oracle_scores(event.user_id)[rows[event.item_id or ""]] for event in clicks]
    overall = [shop.oracle_scores(user_id).mean() for user_id in shop.user_ids]
    assert np.mean(clicked) > np.mean(overall) + 2


def test_facts_about_people_hint_at_taste_and_budget() -> None:
    shop = Shop.open(seed=3, users=4_000, items=ITEMS)
    users = np.arange(4_000)
    liking = shop.tastes @ shop.centres.T
    for fact, values in ((country_of(users), COUNTRIES), (referrer_of(users), REFERRERS)):
        for category in range(len(shop.centres)):
            favoured = fact == category % len(values)
            assert liking[favoured, category].mean() > liking[~favoured, category].mean()
    budgets = [shop.budget[device_of(users) == place].mean() for place in range(len(DEVICES))]
    assert budgets[1] < budgets[0] < budgets[2]


def test_facts_are_only_hints() -> None:
    """Most of what tells tastes apart is not in the facts: equal facts leave most of the variance."""
    shop = Shop.open(seed=3, users=4_000, items=ITEMS)
    users = np.arange(4_000)
    group = (country_of(users) * len(REFERRERS) + referrer_of(users)) * len(DEVICES) + device_of(users)
    means = np.array([shop.tastes[group == one].mean(axis=0) for one in range(group.max() + 1)])
    explained = 1 - np.var(shop.tastes - means[group], axis=0).sum() / np.var(shop.tastes, axis=0).sum()
    assert 0.02 < explained < 0.5


def test_events_name_the_facts_of_their_user(shop: Shop, valid: list[ClientEvent]) -> None:
    places = {user_id: row for row, user_id in enumerate(shop.user_ids)}
    for event in valid:
        if event.user_id in places:
            row = places[event.user_id]
            assert event.context.country == COUNTRIES[country_of(row)]
            assert event.context.device == DEVICES[device_of(row)]
            assert event.context.referrer == REFERRERS[referrer_of(row)]


def test_every_referrer_of_the_shop_is_of_a_kind_of_its_own() -> None:
    assert len({medium_of(referrer) for referrer in REFERRERS} - {None}) == len(REFERRERS)


def test_a_click_is_less_likely_further_down_and_at_a_price_that_hurts(shop: Shop) -> None:
    user, item = shop.user_ids[0], shop.item_ids[0]
    chances = [shop.click_probability(user, item, position) for position in range(10)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[9] > 0
    cheap = replace(shop, price=np.full(ITEMS, shop.budget[0]))
    dear = replace(shop, price=np.full(ITEMS, shop.budget[0] + 2))
    assert cheap.click_probability(user, item, 0) > dear.click_probability(user, item, 0)


def test_a_click_names_the_place_of_its_item_in_the_slate(valid: list[ClientEvent]) -> None:
    slates = {event.session_id: event.item_ids or () for event in valid if event.event_type == "impression"}
    clicks = [event for event in valid if event.event_type == "click"]
    assert all(slates[click.session_id][click.position or 0] == click.item_id for click in clicks)


def test_clicks_come_as_often_as_the_shop_says(shop: Shop, valid: list[ClientEvent]) -> None:
    """Simulated clicks add up to the sum of click probabilities of what was shown."""
    expected, happened = 0.0, 0
    once = {event.event_id: event for event in valid if event.user_id in shop.user_ids}
    for event in once.values():
        happened += event.event_type == "click"
        for position, item_id in enumerate(event.item_ids or ()):
            expected += shop.click_probability(event.user_id, item_id, position)
    assert happened == pytest.approx(expected, rel=0.05)


def test_everybody_looks_at_the_first_place() -> None:
    assert examination(np.array([0, 2])).tolist() == [1.0, 0.5]


def test_written_lines_can_be_read_back(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path), "--users", "20", "--items", "10", "--end", END.isoformat()]) == 0
    with gzip.open(tmp_path / "events.jsonl.gz") as file:
        assert sum(_accepted(line) is not None for line in file) > 50
