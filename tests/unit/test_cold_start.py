"""Newcomers and new items: who and what is new, and that the future is not known."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from factories import NOW, event
from personalization.candidates import SOURCES
from personalization.errors import InvalidInput
from personalization.events import Event, Item, accept, decode_client_event
from personalization.profiles import Profile
from training.acts import Acts
from training.behaviour import observe
from training.cold_items import evaluate_new_items
from training.cold_start import (
    FIRST_ITEMS,
    GROUPS,
    MAX_USERS,
    POPULAR,
    SEGMENTS,
    TRENDING,
    ColdStart,
    Newcomers,
    evaluate_newcomers,
)
from training.dataset import Dataset, make_dataset
from training.shop import Shop
from training.split import Stage
from training.synthetic import simulate

END = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop() -> Dataset:
    """A small synthetic shop."""
    shop = Shop.open(seed=7, users=400, items=80)
    events = [one for one in map(read, simulate(shop, days=20, seed=7, end=END)) if one]
    return make_dataset(lambda: iter(events), shop.catalogue())


def read(line: bytes) -> Event | None:
    try:
        sent = decode_client_event(line)
        return accept(sent, user_key=sent.user_id, received_at=sent.occurred_at)
    except InvalidInput:
        return None


def judged(dataset: Dataset) -> ColdStart:
    knowledge, items = dataset.knowledge(Stage.TEST), dataset.log.items
    observed = observe(knowledge.profiles, items, knowledge.tables.at)
    return evaluate_newcomers(dataset.log.acts, observed, knowledge.tables)


def test_the_last_fifth_to_come_is_new_and_nothing_of_it_is_known(shop: Dataset) -> None:
    acts = shop.log.acts
    found = Newcomers.of(acts, len(shop.log.users))
    active = len(np.unique(acts.user))
    assert 0.15 * active < len(found.users) < 0.25 * active
    assert found.before.at.max() < found.start
    assert not np.isin(found.before.user, found.users).any()
    for user, items in zip(found.users.tolist(), found.items.tolist(), strict=True):
        own = list(dict.fromkeys(acts.item[acts.user == user].tolist()))[:FIRST_ITEMS]
        assert items == own + [-1] * (FIRST_ITEMS - len(own))


def test_newcomers_are_compared_on_every_kind_of_list(shop: Dataset) -> None:
    found = judged(shop)
    assert set(found.methods) == {POPULAR, TRENDING, GROUPS, SEGMENTS}
    assert set(found.differences) == {POPULAR, TRENDING, GROUPS}
    assert found.told == 1.0
    for name, gap in found.differences.items():
        mean = found.methods[SEGMENTS].ndcg - found.methods[name].ndcg
        assert gap.mean == pytest.approx(mean, abs=2e-5)
        assert gap.low <= gap.mean <= gap.high
    assert 0 < found.methods[SEGMENTS].ndcg < found.methods[SEGMENTS].hit_rate < 1


def test_equal_logs_are_judged_alike(shop: Dataset) -> None:
    assert msgspec.json.encode(judged(shop)) == msgspec.json.encode(judged(shop))


def test_what_newcomers_and_others_do_later_changes_no_list(shop: Dataset) -> None:
    """Later acts of those known are dropped, and all that profiles tell of newcomers but their facts."""
    acts, knowledge = shop.log.acts, shop.knowledge(Stage.TEST)
    cut = Newcomers.of(acts, len(shop.log.users))
    new = np.isin(acts.user, cut.users)
    hidden = [
        Profile(attributes=profile.attributes) if number in cut.users else profile
        for number, profile in enumerate(knowledge.profiles)
    ]
    observed = observe(hidden, shop.log.items, knowledge.tables.at)
    earlier = acts.where(new | (acts.at < cut.start))
    assert evaluate_newcomers(earlier, observed, knowledge.tables) == judged(shop)


def test_a_log_without_facts_says_so() -> None:
    events = [
        event(
            "click", f"i{(user + number) % 30}", user_key=f"u{user:03}", occurred_at=NOW - timedelta(hours=h)
        )
        for user in range(120)
        for number, h in enumerate(range(300 - 2 * user, 297 - 2 * user, -1))
    ]
    found = judged(make_dataset(lambda: iter(events), []))
    assert found.told == 0.0
    assert found.note.startswith("No facts")
    assert found.users == 24


@pytest.mark.parametrize("users", [1, 5])
def test_without_a_history_there_is_nothing_to_learn_from(users: int) -> None:
    events = [event("click", "a", user_key=f"u{number}") for number in range(users)]
    found = judged(make_dataset(lambda: iter(events), []))
    assert (found.users, found.methods) == (0, {})
    assert found.note.startswith("Nobody")


def test_of_many_newcomers_an_even_part_is_evaluated() -> None:
    users = 3 * MAX_USERS
    at = np.arange(users) // (2 * users // 3)
    acts = Acts(np.arange(users), np.zeros(users, np.int64), at, np.ones(users, np.float32))
    found = Newcomers.of(acts, users)
    assert len(found.users) == MAX_USERS
    assert found.users.tolist() == sorted(set(found.users.tolist()))


def test_only_content_finds_an_item_that_nobody_knows() -> None:
    """Everybody's last item is one of thirty that nobody came to before, tagged like their other items."""
    items = [Item(item_id=f"i{number}", tags=(f"tag-{number % 30}",)) for number in range(120)]
    events = [
        event(
            "click",
            f"i{user % 30 + 30 * step}",
            user_key=f"u{user:03}",
            occurred_at=NOW - timedelta(days=4 - step),
        )
        for user in range(90)
        for step in range(4)
    ]
    dataset = make_dataset(lambda: iter(events), items)
    found = evaluate_new_items(dataset.knowledge(Stage.TEST), dataset.log.acts)
    assert (found.users, found.items) == (90, 30)
    assert found.recall_by_source["content"] == 1.0 == found.recall_by_source["any"]
    assert found.recall_by_source["any but content"] == 0.0 == found.exposure_without_content
    assert found.exposure > 0


def test_new_items_are_looked_for_in_every_source(shop: Dataset) -> None:
    found = evaluate_new_items(shop.knowledge(Stage.TEST), shop.log.acts)
    assert set(found.recall_by_source) == {*SOURCES, "any", "any but content"}
    assert all(0 <= share <= found.recall_by_source["any"] for share in found.recall_by_source.values())


def test_a_log_without_labels_has_no_new_items_to_find() -> None:
    dataset = make_dataset(lambda: iter([event("click", "a")]), [Item(item_id="b")])
    found = evaluate_new_items(dataset.knowledge(Stage.TEST), dataset.log.acts)
    assert (found.users, found.exposure) == (0, 0.0)
