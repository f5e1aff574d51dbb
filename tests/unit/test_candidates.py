"""Candidates and features: who offers what, who never gets what, and a block equals its users one by one."""

from datetime import timedelta

import numpy as np
import pytest

from factories import NOW, event
from personalization.candidates import SOURCES, Candidates, generate, history_of
from personalization.events import Item
from personalization.features import FEATURES, features
from personalization.model_tables import Tables
from personalization.profiles import Profile, apply, at_seconds
from personalization.recipe import DEFAULT_OFFERED
from training.acts import Acts
from training.tables import build_tables

COUNT = 300


@pytest.fixture(scope="module")
def tables() -> Tables:
    chance = np.random.default_rng(5)
    items = [
        Item(
            item_id=f"sku-{number:03}", tags=(f"t{number % 40}",), category=f"c{number % 7}", price=1 + number
        )
        for number in range(COUNT)
    ]
    user = np.repeat(np.arange(200), 15)
    item = np.minimum(chance.geometric(0.02, size=len(user)), COUNT) - 1
    at = at_seconds(NOW) - chance.integers(0, 40 * 86_400, size=len(user))
    order = np.lexsort((at, user))
    acts = Acts(user, item[order], at[order], np.ones(len(user), dtype=np.float32))
    return build_tables(acts, items, at=at_seconds(NOW))


def profile(*acts: tuple[str, str]) -> Profile:
    made = Profile()
    for minute, (kind, item) in enumerate(acts):
        value = 1.0 if kind == "rating" else None
        apply(made, event(kind, item, occurred_at=NOW - timedelta(minutes=50 - minute), value=value))
    return made


def items_of(candidates: Candidates, user: int = 0) -> set[int]:
    return set(candidates.item[candidates.user == user].tolist())


def test_a_new_user_is_offered_what_is_popular_and_trending(tables: Tables) -> None:
    candidates = generate(history_of([Profile()], tables), tables)
    offering = ~np.isnan(candidates.rank)
    assert offering[:, SOURCES.index("popular")].sum() == DEFAULT_OFFERED["popular"]
    assert offering[:, SOURCES.index("trending")].sum() == DEFAULT_OFFERED["trending"]
    assert not offering[:, : SOURCES.index("popular")].any()


def test_an_active_user_is_offered_more(tables: Tables) -> None:
    candidates = generate(history_of([profile(("click", "sku-003"))], tables), tables)
    assert (~np.isnan(candidates.rank)).any(axis=0).all()


def test_what_the_user_had_or_dislikes_is_never_offered(tables: Tables) -> None:
    acts = (("click", "sku-000"), ("purchase", "sku-001"), ("rating", "sku-002"), ("dislike", "sku-004"))
    offered = items_of(generate(history_of([profile(*acts)], tables), tables))
    assert offered.isdisjoint({0, 1, 2, 4})


def test_with_repeat_only_what_is_disliked_is_left_out(tables: Tables) -> None:
    acts = (("purchase", "sku-000"), ("dislike", "sku-004"))
    offered = items_of(generate(history_of([profile(*acts)], tables, repeat=True), tables))
    assert 0 in offered
    assert 4 not in offered


def test_a_low_rating_does_not_bring_more_of_the_same(tables: Tables) -> None:
    history = history_of([profile(("rating", "sku-003"))], tables)
    assert history.weights.nnz == 0
    assert history.excluded.nnz == 1


def test_the_latest_act_weighs_most(tables: Tables) -> None:
    history = history_of([profile(("click", "sku-005"), ("click", "sku-006"))], tables)
    assert history.weights[[0], [6]][0] > history.weights[[0], [5]][0]
    assert history.newest.tolist() == [6]


def test_items_the_model_does_not_know_are_passed_over(tables: Tables) -> None:
    history = history_of([profile(("click", "brand-new"))], tables)
    assert history.weights.nnz == 0


def test_ranks_follow_scores_within_each_source(tables: Tables) -> None:
    candidates = generate(history_of([profile(("click", "sku-003"))], tables), tables)
    for source in range(len(SOURCES)):
        offered = ~np.isnan(candidates.rank[:, source])
        order = np.argsort(candidates.rank[offered, source])
        assert sorted(candidates.rank[offered, source]) == list(range(1, offered.sum() + 1))
        assert (np.diff(candidates.score[offered, source][order]) <= 0).all()


def test_a_block_of_users_equals_each_user_alone(tables: Tables) -> None:
    users = [
        Profile(),
        profile(("click", "sku-001"), ("purchase", "sku-009")),
        profile(("view", "sku-020"), ("rating", "sku-002"), ("impression", "sku-001")),
    ]
    at = np.full(len(users), at_seconds(NOW))
    history = history_of(users, tables)
    block = generate(history, tables)
    matrix = features(block, users, history, tables, at)
    assert matrix.shape == (len(block.item), len(FEATURES))
    for number, user in enumerate(users):
        alone = history_of([user], tables)
        single = generate(alone, tables)
        rows = block.user == number
        np.testing.assert_array_equal(block.item[rows], single.item)
        np.testing.assert_allclose(
            matrix[rows], features(single, [user], alone, tables, at[:1]), rtol=1e-5, equal_nan=True
        )


def test_features_say_what_they_mean(tables: Tables) -> None:
    user = profile(("click", "sku-007"), ("click", "sku-014"))
    history = history_of([user], tables)
    candidates = generate(history, tables)
    now = at_seconds(NOW + timedelta(days=2))
    matrix = features(candidates, [user], history, tables, np.array([now]))
    column = {name: matrix[:, place] for place, name in enumerate(FEATURES)}
    same = tables.category[candidates.item] == tables.category[7]
    assert (column["category_affinity"][same] == 1).all()
    assert (column["same_category_as_last"] == same).all()
    assert column["user_days_idle"][0] == pytest.approx(2 + 49 / 1440, abs=0.01)
    np.testing.assert_allclose(column["price"], 1 + candidates.item)
