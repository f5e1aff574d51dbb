"""What lists are like beyond accuracy, against hand-computed cases and plain loops over pairs and shares."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from personalization.candidates import SOURCES, Candidates
from personalization.events import Item
from training.acts import Acts
from training.measuring import LIST_LENGTH, Catalogue, Lists, Mean
from training.metrics import (
    SMOOTHING,
    Doubles,
    Ints,
    catalogue_coverage,
    intra_list_diversity,
    mean_of_list,
    miscalibration,
    self_information,
)
from training.tables import build_tables

ITEMS, LENGTH = 9, 5
item_lists = st.lists(
    st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=LENGTH), min_size=1, max_size=6
)


def padded(lists: list[list[int]]) -> Ints:
    return np.array([items + [-1] * (LENGTH - len(items)) for items in lists], dtype=np.int64)


def dense(seed: int) -> Doubles:
    """A symmetric similarity (ITEMS, ITEMS), a third of it 0."""
    chance = np.random.default_rng(seed)
    upper = np.triu(chance.random((ITEMS, ITEMS)) * (chance.random((ITEMS, ITEMS)) > 0.3), 1)
    return upper + upper.T


def histories(lists: list[list[int]]) -> sparse.csr_array:
    matrix = np.zeros((len(lists), ITEMS))
    for user, items in enumerate(lists):
        matrix[user, items] = 0.1 + user
    return sparse.csr_array(matrix)


def shares(items: list[int], category: Ints) -> dict[int, float]:
    codes = [int(category[item]) for item in items if category[item] >= 0]
    return {code: codes.count(code) / len(codes) for code in codes}


def divergence(wanted: dict[int, float], found: dict[int, float]) -> float:
    terms = [
        p * log(p / ((1 - SMOOTHING) * found.get(code, 0) + SMOOTHING * p)) for code, p in wanted.items()
    ]
    return sum(terms) if terms else np.nan


@given(item_lists, st.integers(0, 5))
def test_diversity_is_what_pairs_are_unlike_on_average(lists: list[list[int]], seed: int) -> None:
    similarity = dense(seed)
    expected = [
        np.mean([1 - similarity[one, other] for place, one in enumerate(items) for other in items[:place]])
        if len(items) > 1
        else np.nan
        for items in lists
    ]
    found = intra_list_diversity(padded(lists), sparse.csr_array(similarity))
    np.testing.assert_allclose(found, expected)


@given(item_lists, st.data())
def test_miscalibration_is_the_divergence_of_shares(lists: list[list[int]], data: st.DataObject) -> None:
    known = [data.draw(st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=6)) for _ in lists]
    category = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=ITEMS, max_size=ITEMS)))
    expected = [
        divergence(shares(had, category), shares(items, category))
        for had, items in zip(known, lists, strict=True)
    ]
    found = miscalibration(padded(lists), histories(known), category)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_list_like_the_history_is_calibrated_and_one_unlike_it_is_not() -> None:
    category, history = np.array([0, 0, 1, 1, -1, 2, 2, 2, 2]), histories([[0, 2], [0, 2], [0, 2]])
    lists = padded([[1, 3, 4], [0, 1], [5, 6]])
    mirrored, half, nothing = miscalibration(lists, history, category)
    assert mirrored == pytest.approx(0)
    assert half == pytest.approx(0.5 * log(0.5 / 0.995) + 0.5 * log(0.5 / 0.005))
    assert nothing == pytest.approx(log(100))


def test_a_shop_without_categories_has_no_calibration() -> None:
    found = miscalibration(padded([[0, 1]]), histories([[2]]), np.full(ITEMS, -1))
    assert np.isnan(found).all()


@given(st.lists(st.integers(0, 64), min_size=1, max_size=20))
def test_the_fewer_know_an_item_the_more_it_surprises(known_by: list[int]) -> None:
    found = self_information(np.array(known_by), 64)
    expected = [-log(max(count, 1) / 64, 2) for count in known_by]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_empty_list_has_no_mean_and_no_diversity() -> None:
    assert np.isnan(mean_of_list(np.arange(9.0), padded([[]]))).all()
    assert np.isnan(intra_list_diversity(padded([[], [3]]), sparse.csr_array(dense(0)))).all()


@given(item_lists)
def test_coverage_is_the_share_of_items_in_any_list(lists: list[list[int]]) -> None:
    exposure = np.bincount([item for items in lists for item in items], minlength=ITEMS)
    assert catalogue_coverage(exposure) == len(set().union(*lists)) / ITEMS


@given(st.lists(st.lists(st.floats(0, 1) | st.just(np.nan), max_size=5), max_size=5))
def test_a_mean_added_up_in_blocks_is_the_mean_of_all(blocks: list[list[float]]) -> None:
    mean, values = Mean(), [value for block in blocks for value in block if not np.isnan(value)]
    for block in blocks:
        mean.add(np.array(block, dtype=float))
    assert mean.value == (pytest.approx(np.mean(values)) if values else None)


def candidates(*rows: tuple[int, int], users: int) -> Candidates:
    user, item = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    nothing = np.full((len(rows), len(SOURCES)), np.nan, dtype=np.float32)
    return Candidates(user, item, nothing, nothing, users, int(item.max(initial=0)) + 1)


def test_lists_are_ordered_by_score_and_ties_by_the_catalogue() -> None:
    rows = candidates((0, 3), (0, 5), (0, 7), (2, 5), users=3)
    lists = Lists.of(rows, np.array([0.2, 0.9, 0.9, 0.1]))
    assert lists.items.shape == (3, LIST_LENGTH)
    assert [[item for item in items if item >= 0] for items in lists.items.tolist()] == [[5, 7, 3], [], [5]]
    assert lists.ranks(np.array([3, 3, 5])).tolist() == [3, 0, 1]
    assert lists.ranks(np.array([4, 4, 4])).tolist() == [0, 0, 0]


def test_a_catalogue_counts_users_once_an_item() -> None:
    items = [Item(item_id=f"sku-{number}", tags=("red",) if number < 2 else ()) for number in range(4)]
    user, item = np.array([0, 0, 0, 1, 3]), np.array([0, 0, 1, 0, 2])
    acts = Acts(user, item, np.arange(5), np.ones(5, dtype=np.float32))
    catalogue = Catalogue.of(build_tables(acts, items, at=10), acts, users=5)
    assert catalogue.known.tolist() == [2, 1, 0, 1, 0]
    assert catalogue.popularity.tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3, 0])
    assert catalogue.similarity[0, 1] == pytest.approx(catalogue.similarity[1, 0])
    assert catalogue.similarity[0, 1] == pytest.approx(1)
