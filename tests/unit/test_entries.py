"""Values of a block, held to what scipy's matrices say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from personalization.entries import Entries, each_of, stacked
from personalization.model_tables import strongest

USERS, ITEMS = 5, 7
seeds = st.integers(0, 2**32 - 1)


def matrix(seed: int, users: int = USERS) -> sparse.csr_array:
    """Few different values, so that there are ties, and empty rows."""
    chance = np.random.default_rng(seed)
    dense = chance.integers(1, 4, (users, ITEMS)) * (
        chance.random((users, ITEMS)) < chance.random((users, 1))
    )
    return sparse.csr_array(dense.astype(np.float32))


@given(seeds)
def test_a_value_is_what_the_matrix_says(seed: int) -> None:
    wanted = matrix(seed)
    assert np.array_equal(Entries.of(wanted).at(np.arange(USERS * ITEMS)), wanted.toarray().ravel())


@given(seeds, seeds)
def test_what_is_hidden_is_left_out(seed: int, other: int) -> None:
    kept, hidden = matrix(seed), matrix(other)
    found = Entries.of(kept).without(Entries.of(hidden))
    wanted = np.where(hidden.toarray() > 0, 0, kept.toarray())
    assert np.array_equal(found.at(np.arange(USERS * ITEMS)), wanted.ravel())
    assert np.array_equal(np.diff(found.starts), np.count_nonzero(wanted, axis=1))


@given(seeds, st.integers(0, ITEMS))
def test_the_strongest_are_those_of_the_matrix_the_best_first(seed: int, count: int) -> None:
    users, items = Entries.of(matrix(seed)).strongest(count)
    dense = matrix(seed).toarray()
    assert {*zip(users.tolist(), items.tolist(), strict=True)} == {
        *map(tuple, np.argwhere(strongest(matrix(seed), count).toarray()).tolist())
    }
    rows = [(user, -dense[user, item], item) for user, item in zip(users, items, strict=True)]
    assert rows == sorted(rows)


@given(st.lists(seeds, min_size=1, max_size=4))
def test_a_product_of_stacked_matrices_comes_apart_into_their_products(given_seeds: list[int]) -> None:
    right = matrix(1, users=ITEMS)
    parts = [matrix(seed) for seed in given_seeds]
    for part, found in zip(parts, each_of(Entries.of(stacked(parts) @ right), len(parts)), strict=True):
        assert np.array_equal(found.at(np.arange(USERS * ITEMS)), (part @ right).toarray().ravel())


@pytest.mark.parametrize("users", [0, 1])
def test_a_block_without_entries_is_empty(users: int) -> None:
    nothing = Entries.of(sparse.csr_array((users, ITEMS), dtype=np.float32))
    assert nothing.at(np.arange(users * ITEMS)).tolist() == [0.0] * users * ITEMS
    assert not len(nothing.without(nothing).strongest(3)[0])
