"""Re-ranking: relevance untouched at 0, greedy by brute force, quotas, and chances that add up."""

from collections import Counter
from itertools import pairwise, permutations
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalization.policies import Policy
from personalization.reranking import (
    TEMPERATURE,
    Doubles,
    Pool,
    Slate,
    arrange,
    chances_of,
    similarity_of,
    standardized,
)

SEEDS = st.integers(0, 2**32)
SHARES = st.floats(0, 1)


def random_pool(seed: int, size: int, *, categories: int = 3, new: int = 0) -> Pool:
    chance = np.random.default_rng(seed)
    content = np.triu(chance.random((size, size)) * (chance.random((size, size)) > 0.4), 1)
    category = chance.integers(-1, categories, size)
    relevance = np.sort(standardized(chance.random(size).round(1)))[::-1]
    bonus = np.zeros(size)
    bonus[size - new :] = 2.0
    return Pool(relevance, category, bonus, similarity_of(content + content.T, category))


def pools(most: int = 7) -> st.SearchStrategy[Pool]:
    return st.builds(random_pool, SEEDS, st.integers(0, most))


@given(pools(30), st.integers(0, 40), SEEDS)
def test_without_a_policy_the_order_is_that_of_relevance(pool: Pool, limit: int, seed: int) -> None:
    found = arrange(pool, Policy(), limit, seed)
    assert found.order.tolist() == list(range(min(limit, len(pool.relevance))))
    assert (found.propensity == 1).all()


@given(SEEDS, st.integers(0, 60))
def test_a_similarity_is_positive_semi_definite_with_a_diagonal_of_one(seed: int, size: int) -> None:
    similarity = random_pool(seed, size).similarity
    assert similarity is not None
    np.testing.assert_allclose(np.diag(similarity), 1)
    np.testing.assert_array_equal(similarity, similarity.T)
    assert np.linalg.eigvalsh(similarity).min(initial=1) > 0


def test_a_similarity_keeps_pairs_in_proportion() -> None:
    content = np.array([[0, 1.0, 0.5], [1.0, 0, 0], [0.5, 0, 0]])
    found = similarity_of(content, np.array([-1, -1, -1]))
    assert found[0, 1] == pytest.approx(2 * found[0, 2])
    assert found[1, 2] == 0


def objective(pool: Pool, chosen: list[int], diversity: float) -> float:
    assert pool.similarity is not None
    _, volume = np.linalg.slogdet(pool.similarity[np.ix_(chosen, chosen)])
    return float((1 - diversity) * pool.relevance[chosen].sum() + diversity * volume)


@settings(deadline=None)
@given(pools(), SHARES)
def test_every_place_goes_to_the_item_that_adds_most_by_brute_force(pool: Pool, diversity: float) -> None:
    order = arrange(pool, Policy(diversity=diversity), len(pool.relevance)).order.tolist()
    assert sorted(order) == list(range(len(pool.relevance)))
    for place, item in enumerate(order):
        before = order[:place]
        best = max(objective(pool, [*before, other], diversity) for other in order[place:])
        assert objective(pool, [*before, item], diversity) == pytest.approx(best, abs=1e-9)


def test_of_items_that_add_the_same_the_most_relevant_comes_first() -> None:
    pool = Pool(standardized(np.arange(5.0)[::-1]), np.full(5, -1), np.zeros(5), np.eye(5))
    for diversity in (0.5, 1.0):
        assert arrange(pool, Policy(diversity=diversity), 5).order.tolist() == [0, 1, 2, 3, 4]


def test_the_more_diversity_the_sooner_something_else_comes() -> None:
    category = np.array([0, 0, 0, 0, 1])
    same = (category[:, None] == category).astype(float)
    pool = Pool(
        standardized(np.array([5.0, 4.9, 4.8, 4.7, 4.0])),
        category,
        np.zeros(5),
        similarity_of(same, category),
    )
    places = [
        arrange(pool, Policy(diversity=diversity), 5).order.tolist().index(4)
        for diversity in (0.0, 0.2, 0.5, 0.8)
    ]
    assert places == sorted(places, reverse=True)
    assert (places[0], places[-1]) == (4, 1)


policies = st.builds(
    Policy, diversity=SHARES, exploration=SHARES, new_items=SHARES, category_share=st.floats(0.05, 1)
)


@settings(deadline=None)
@given(st.builds(random_pool, SEEDS, st.integers(0, 25), new=st.integers(0, 5)), policies, SEEDS)
def test_a_shorter_list_is_the_beginning_of_a_longer_one(pool: Pool, policy: Policy, seed: int) -> None:
    whole = arrange(pool, policy, 25, seed)
    assert len(set(whole.order.tolist())) == len(pool.relevance)
    for limit in (0, 1, 7):
        part = arrange(pool, policy, limit, seed)
        assert part.order.tolist() == whole.order[:limit].tolist()
        assert part.propensity.tolist() == whole.propensity[:limit].tolist()


@settings(deadline=None)
@given(pools(25), st.floats(0.05, 1), SHARES, SEEDS)
def test_no_category_takes_more_than_its_share_while_there_is_another(
    pool: Pool, share: float, exploration: float, seed: int
) -> None:
    policy = Policy(category_share=share, exploration=exploration)
    codes = pool.category[arrange(pool, policy, 25, seed).order].tolist()
    for place, code in enumerate(codes):
        most = ceil(round(share * (place + 1), 9))
        if code >= 0 and codes[:place].count(code) >= most:
            left = codes[place:]
            assert all(other >= 0 and codes[:place].count(other) >= most for other in left)


@pytest.mark.parametrize(
    ("share", "places"), [(0.1, [9, 19, 29]), (0.2, [4, 9, 14]), (0.0, []), (1.0, [0, 1, 2])]
)
def test_new_items_are_lifted_into_their_share_of_places_and_no_further(
    share: float, places: list[int]
) -> None:
    relevance = standardized(np.linspace(2, 0, 103))
    bonus = np.where(np.arange(103) >= 100, 10.0, 0.0)
    order = arrange(Pool(relevance, np.full(103, -1), bonus), Policy(new_items=share), 40).order
    assert np.flatnonzero(order >= 100).tolist() == places


def test_a_new_item_that_is_relevant_anyway_is_not_held_back_but_counts() -> None:
    relevance = standardized(np.linspace(2, 0, 52))
    bonus = np.zeros(52)
    bonus[[0, 51]] = 10.0
    order = arrange(Pool(relevance, np.full(52, -1), bonus), Policy(new_items=0.1), 30).order.tolist()
    assert (order.index(0), order.index(51)) == (0, 19)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), SHARES)
def test_the_chances_of_a_place_are_a_mixture_of_decision_and_softmax(
    values: list[float], exploration: float
) -> None:
    value = np.array(values)
    found = chances_of(value, exploration)
    softmax = np.exp(value / TEMPERATURE) / np.exp(value / TEMPERATURE).sum()
    decided = np.arange(len(value)) == int(np.argmax(value))
    np.testing.assert_allclose(found, exploration * softmax + (1 - exploration) * decided, atol=1e-12)
    assert found.sum() == pytest.approx(1)


def drawn(pool: Pool, policy: Policy, places: int, count: int) -> list[Slate]:
    return [arrange(pool, policy, places, seed) for seed in range(count)]


def test_lists_come_as_often_as_their_propensities_say_and_these_add_up_to_one() -> None:
    pool, policy, count = random_pool(3, 4), Policy(diversity=0.4, exploration=0.7), 20_000
    slates = drawn(pool, policy, 2, count)
    often = Counter(tuple(slate.order.tolist()) for slate in slates)
    chances = {tuple(slate.order.tolist()): float(slate.propensity.prod()) for slate in slates}
    assert set(chances) == set(permutations(range(4), 2))
    assert sum(chances.values()) == pytest.approx(1)
    for order, chance in chances.items():
        assert often[order] / count == pytest.approx(chance, abs=5 * np.sqrt(chance / count))


CLICK = np.array([0.1, 0.5, 0.3, 0.7, 0.2, 0.6])
"""What each item's chance of a click would be at the top."""


def value_of(order: list[int]) -> Doubles:
    """(k,), a user's chances to click: half of it a place further down, half if the item before is alike."""
    click = CLICK[order] * 0.5 ** np.arange(len(order))
    after_alike = np.array([False, *(a % 2 == b % 2 for a, b in pairwise(order))])
    return np.where(after_alike, click / 2, click)


@pytest.fixture(scope="module")
def logged() -> list[Slate]:
    return drawn(random_pool(5, 6), Policy(diversity=0.4, exploration=0.6), 3, 30_000)


@pytest.mark.parametrize("wanted", [Policy(), Policy(diversity=0.8), Policy(exploration=0.3)])
def test_what_another_policy_would_earn_is_estimated_without_bias(
    logged: list[Slate], wanted: Policy
) -> None:
    pool, places, count = random_pool(5, 6), 3, len(logged)
    orders = list(permutations(range(6), places))
    chances = {order: chance_of(pool, wanted, order) for order in orders}
    values = {order: value_of(list(order)) for order in orders}
    truth = sum(chances[order].prod() * values[order].sum() for order in orders)
    clicks = np.random.default_rng(1)
    weighted = []
    for slate in logged:
        order = tuple(slate.order.tolist())
        clicked = clicks.random(places) < values[order]
        weight = np.cumprod(chances[order] / slate.propensity)
        weighted.append(float((weight * clicked).sum()))
    error = np.std(weighted) / np.sqrt(count)
    assert error < 0.05 * truth
    assert np.mean(weighted) == pytest.approx(truth, abs=4 * error)


def chance_of(pool: Pool, policy: Policy, order: tuple[int, ...]) -> Doubles:
    """(k,), with what probability a policy would fill each place as it is, by brute force."""
    chances = []
    for place, item in enumerate(order):
        before = list(order[:place])
        value = np.full(len(pool.relevance), -np.inf)
        for other in set(range(len(value))) - set(before):
            value[other] = objective(pool, [*before, other], policy.diversity)
        value -= objective(pool, before, policy.diversity) if before else 0.0
        chances.append(chances_of(value, policy.exploration)[item])
    return np.array(chances)


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    pool, policy = random_pool(1, 30), Policy(exploration=1.0)
    orders = [arrange(pool, policy, 30, seed).order.tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_an_empty_pool_has_an_empty_list() -> None:
    nothing = Pool(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0))
    policy = Policy(diversity=0.5, exploration=0.5, new_items=0.5, category_share=0.5)
    assert arrange(nothing, policy, 10).order.tolist() == []
    assert standardized(np.zeros(0)).tolist() == []
