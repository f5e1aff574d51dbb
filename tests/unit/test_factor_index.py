"""The index of a large catalogue: finds nearly all that an exact search finds, and never offers less."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from personalization.errors import ModelError
from personalization.events import Item
from personalization.factor_index import SEARCH_DEPTH, FactorIndex
from personalization.factors import fold_in, nearest
from personalization.model_tables import FACTOR_INDEX_FILE, load_tables, save_tables
from training.acts import Acts
from training.tables import build_tables

ITEMS, WIDTH, USERS, COUNT = 20_000, 16, 12, 60


@pytest.fixture(scope="module")
def factors() -> np.ndarray:
    """Forty tastes, lengths that vary like popularity, and every tenth item without any act."""
    chance = np.random.default_rng(5)
    tastes = chance.normal(size=(40, WIDTH))
    vectors = tastes[chance.integers(40, size=ITEMS)] + 0.5 * chance.normal(size=(ITEMS, WIDTH))
    vectors *= chance.lognormal(sigma=0.8, size=(ITEMS, 1))
    vectors[::10] = 0.0
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def index(factors: np.ndarray) -> FactorIndex:
    return FactorIndex.of(factors)


@pytest.fixture(scope="module")
def vectors(factors: np.ndarray) -> np.ndarray:
    """Users who know ten items each."""
    items = np.random.default_rng(6).choice(ITEMS, size=(USERS, 10), replace=False)
    known = (np.ones(items.size, np.float32), (np.repeat(np.arange(USERS), 10), items.ravel()))
    every = factors.astype(np.float64)
    return fold_in(sparse.csr_array(known, shape=(USERS, ITEMS)), factors, every.T @ every)


def nothing() -> sparse.csr_array:
    return sparse.csr_array((USERS, ITEMS), dtype=np.float32)


def best(vectors: np.ndarray, factors: np.ndarray, count: int) -> sparse.csr_array:
    """Each user's best items, to be excluded."""
    users, items = nearest(vectors, factors, nothing(), count)
    return sparse.csr_array((np.ones(len(users), np.float32), (users, items)), shape=(USERS, ITEMS))


@pytest.mark.parametrize("known", [0, 5, 400])
def test_nearly_all_of_the_exact_offer_is_found_and_its_size_is_kept(
    known: int, factors: np.ndarray, index: FactorIndex, vectors: np.ndarray
) -> None:
    """Also by who already had their best items."""
    excluded = best(vectors, factors, known) if known else nothing()
    exact = nearest(vectors, factors, excluded, COUNT)
    found = nearest(vectors, factors, excluded, COUNT, index)
    assert np.bincount(found[0]).tolist() == [COUNT] * USERS
    assert not excluded[found].any()
    assert factors[found[1]].any(axis=1).all()
    shared = set(zip(*map(np.ndarray.tolist, exact), strict=True)) & set(
        zip(*map(np.ndarray.tolist, found), strict=True)
    )
    assert len(shared) > 0.99 * USERS * COUNT


def test_what_is_found_is_in_the_exact_order(
    factors: np.ndarray, index: FactorIndex, vectors: np.ndarray
) -> None:
    users, items = nearest(vectors, factors, nothing(), COUNT, index)
    assert (np.diff(users) >= 0).all()
    scores = (factors[items].astype(float) * vectors[users]).sum(axis=1)
    assert all((np.diff(scores[users == user]) <= 1e-12).all() for user in range(USERS))


def test_who_wants_too_much_for_a_search_gets_the_exact_offer(
    factors: np.ndarray, index: FactorIndex, vectors: np.ndarray
) -> None:
    excluded = best(vectors, factors, 3 * SEARCH_DEPTH)
    assert index.search(vectors[0], 3 * SEARCH_DEPTH) is None
    exact, found = (
        nearest(vectors, factors, excluded, COUNT),
        nearest(vectors, factors, excluded, COUNT, index),
    )
    np.testing.assert_array_equal(found, exact)


def test_a_user_without_a_vector_is_offered_nothing(factors: np.ndarray, index: FactorIndex) -> None:
    users, _ = nearest(np.zeros((USERS, WIDTH)), factors, nothing(), COUNT, index)
    assert len(users) == 0


def test_equal_factors_make_equal_bytes_and_a_loaded_index_finds_the_same(
    factors: np.ndarray, index: FactorIndex, vectors: np.ndarray, tmp_path: Path
) -> None:
    index.save(tmp_path / "one")
    FactorIndex.of(factors).save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    loaded = FactorIndex.load(tmp_path / "one")
    np.testing.assert_array_equal(
        nearest(vectors, factors, nothing(), COUNT, loaded),
        nearest(vectors, factors, nothing(), COUNT, index),
    )


def test_only_a_large_catalogue_has_an_index_beside_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that held a larger catalogue's keeps nothing of it."""
    acts = Acts(np.arange(30) // 3, np.arange(30) % 7, np.arange(30), np.ones(30, dtype=np.float32))
    items = [Item(item_id=str(number)) for number in range(7)]
    monkeypatch.setattr("training.tables.APPROXIMATE_FROM", 7)
    save_tables(build_tables(acts, items, at=30), tmp_path)
    assert load_tables(tmp_path).factor_index is not None
    monkeypatch.setattr("training.tables.APPROXIMATE_FROM", 8)
    save_tables(build_tables(acts, items, at=30), tmp_path)
    assert load_tables(tmp_path).factor_index is None


@pytest.mark.parametrize("kept", [0, 3, 200, 5_000])
def test_a_broken_index_is_refused(kept: int, index: FactorIndex, tmp_path: Path) -> None:
    nobody = np.empty(0, dtype=np.int64)
    save_tables(build_tables(Acts(nobody, nobody, nobody, nobody.astype(np.float32)), [], at=0), tmp_path)
    index.save(tmp_path / FACTOR_INDEX_FILE)
    whole = (tmp_path / FACTOR_INDEX_FILE).read_bytes()
    (tmp_path / FACTOR_INDEX_FILE).write_bytes(whole[:kept])
    with pytest.raises(ModelError, match="isn't an index"):
        load_tables(tmp_path)


def test_factors_of_nobody_make_an_index_that_finds_nothing() -> None:
    assert FactorIndex.of(np.zeros((50, 4), dtype=np.float32)).search(np.ones(4), 10) is None
