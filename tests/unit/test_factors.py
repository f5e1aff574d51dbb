"""Factors: items used together point the same way, and a user's vector is the solution it should be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from personalization import factors as serving
from personalization.factors import CONFIDENCE, REGULARIZATION, affinity, fold_in, nearest
from training.acts import Acts
from training.factors import factorize

ITEMS = 40


def two_tastes(users: int = 60) -> Acts:
    """Even users act on items below 20 only, odd ones on those from 20 to 38; nobody acts on item 39."""
    chance = np.random.default_rng(3)
    rows = [
        (user, int(item))
        for user in range(users)
        for item in chance.choice(20 if user % 2 == 0 else 19, size=8, replace=False) + 20 * (user % 2)
    ]
    user, item = np.array(rows).T
    return Acts(user, item, np.arange(len(user)), np.ones(len(user), dtype=np.float32))


def folded(weights: sparse.csr_array, factors: np.ndarray) -> np.ndarray:
    every = factors.astype(np.float64)
    return fold_in(weights, factors, every.T @ every)


def known(*items: int) -> sparse.csr_array:
    weights = np.zeros((1, ITEMS), dtype=np.float32)
    weights[0, list(items)] = 1.0
    return sparse.csr_array(weights)


def test_a_folded_in_user_is_offered_what_users_alike_took() -> None:
    factors = factorize(two_tastes(), ITEMS)
    history = known(1, 4, 7)
    _, items = nearest(folded(history, factors), factors, history, 8)
    assert len(items) == 8
    assert (items < 20).all()
    assert not {1, 4, 7} & set(items.tolist())


def test_items_without_acts_have_no_factors_and_are_not_offered() -> None:
    factors = factorize(two_tastes(), ITEMS)
    assert not factors[39].any()
    _, items = nearest(folded(known(25), factors), factors, known(25), ITEMS)
    assert 39 not in items
    assert len(items) == ITEMS - 2


def test_equal_acts_make_equal_factors() -> None:
    np.testing.assert_array_equal(factorize(two_tastes(), ITEMS), factorize(two_tastes(), ITEMS))


def test_an_empty_log_makes_factors_that_offer_nothing() -> None:
    empty = np.empty(0, dtype=np.int64)
    factors = factorize(Acts(empty, empty, empty, empty.astype(np.float32)), ITEMS)
    users, _ = nearest(folded(known(3), factors), factors, known(3), 10)
    assert len(users) == 0


def test_a_user_without_history_has_no_vector() -> None:
    factors = factorize(two_tastes(), ITEMS)
    assert not folded(known(), factors).any()


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_vector_minimizes_the_weighted_squared_error(seed: int) -> None:
    chance = np.random.default_rng(seed)
    factors = chance.normal(size=(ITEMS, 6)).astype(np.float32)
    weights = sparse.csr_array(
        chance.random((1, ITEMS)) * (chance.random((1, ITEMS)) < 0.2), dtype=np.float32
    )
    vector = folded(weights, factors)[0]

    def loss(x: np.ndarray) -> float:
        dense = weights.toarray()[0].astype(float)
        errors = (1 + CONFIDENCE * dense) * ((dense > 0) - factors.astype(float) @ x) ** 2
        return float(errors.sum() + REGULARIZATION * x @ x)

    if weights.nnz:
        assert all(loss(vector) <= loss(vector + 0.01 * step) for step in chance.normal(size=(20, 6)))


@pytest.mark.parametrize("entries", [1, 100, 10**6])
@given(seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_the_nearest_are_those_of_a_full_sort_in_blocks_of_any_size(entries: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    vectors = chance.integers(-2, 3, size=(7, 3)).astype(float)
    factors = chance.integers(-2, 3, size=(ITEMS, 3)).astype(np.float32)
    excluded = sparse.csr_array((chance.random((7, ITEMS)) < 0.3).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "BLOCK_ENTRIES", entries)
        users, items = nearest(vectors, factors, excluded, 9)
    scores = vectors @ factors.T
    scores[excluded.toarray() > 0] = 0.0
    for user, row in enumerate(scores):
        order = np.lexsort((np.arange(ITEMS), -row))
        assert items[users == user].tolist() == [item for item in order[:9].tolist() if row[item] != 0]


def test_affinity_does_not_depend_on_the_rest_of_the_block() -> None:
    chance = np.random.default_rng(1)
    vectors, factors = chance.normal(size=(50, 64)), chance.normal(size=(ITEMS, 64)).astype(np.float32)
    users, items = np.repeat(np.arange(50), ITEMS), np.tile(np.arange(ITEMS), 50)
    whole = affinity(vectors, factors, users, items)
    one = affinity(vectors[17:18], factors, np.zeros(ITEMS, dtype=np.int64), np.arange(ITEMS))
    np.testing.assert_array_equal(whole[users == 17], one)
