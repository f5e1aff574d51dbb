"""Clusters, their quality and their picture, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score

from training.clustering import Silhouette, agreement, assign, choose, kmeans, principal_axes, ward


def blobs(count: int, *, size: int = 60, width: int = 4, seed: int = 0) -> np.ndarray:
    """Rows around so many centres that lie far apart."""
    chance = np.random.default_rng(seed)
    centres = 12.0 * np.eye(max(count, width))[:count, :width]
    return np.repeat(centres, size, axis=0) + chance.normal(size=(count * size, width))


labellings = st.integers(2, 40).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 4), min_size=size, max_size=size),
        st.lists(st.integers(0, 4), min_size=size, max_size=size),
    )
)


@given(labellings, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_silhouette_is_that_of_scikit_learn(labels: tuple[list[int], list[int]], seed: int) -> None:
    label = np.array(labels[0])
    rows = np.random.default_rng(seed).normal(size=(len(label), 3))
    if not 2 <= len(np.unique(label)) < len(label):
        return
    assert Silhouette.of(rows).mean(label) == pytest.approx(silhouette_score(rows, label), abs=1e-9)


def test_silhouette_of_one_cluster_or_of_equal_rows_is_nothing() -> None:
    rows = np.zeros((4, 2))
    assert Silhouette.of(rows).mean(np.zeros(4, dtype=np.int64)) == 0.0
    assert Silhouette.of(rows).mean(np.array([0, 0, 1, 1])) == 0.0


@given(labellings)
def test_agreement_is_that_of_scikit_learn(labels: tuple[list[int], list[int]]) -> None:
    one, other = map(np.array, labels)
    assert agreement(one, other) == pytest.approx(adjusted_rand_score(one, other), abs=1e-9)


@given(st.integers(3, 30), st.integers(2, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_the_axes_are_those_of_scikit_learn(size: int, width: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(size, width)) * np.arange(1, width + 1)
    axes, shares = principal_axes(rows, 2)
    reference = PCA(2).fit(rows)
    np.testing.assert_allclose(shares, reference.explained_variance_ratio_, atol=1e-9)
    np.testing.assert_allclose(np.abs((axes * reference.components_.T).sum(axis=0)), 1.0, atol=1e-6)


def test_axes_that_rows_do_not_have_are_zero() -> None:
    axes, shares = principal_axes(np.array([[1.0], [2.0], [4.0]]), 2)
    assert (axes.tolist(), shares.tolist()) == ([[1.0, 0.0]], [1.0, 0.0])
    assert principal_axes(np.ones((3, 2)), 2)[1].tolist() == [0.0, 0.0]


def test_kmeans_is_as_tight_as_that_of_scikit_learn() -> None:
    rows = np.random.default_rng(5).normal(size=(400, 5))
    found = kmeans(rows, 4, seed=1)
    assert found is not None
    inertia = float(((rows - found[assign(rows, found)]) ** 2).sum())
    assert inertia < 1.03 * KMeans(4, n_init=10, random_state=0).fit(rows).inertia_


@pytest.mark.parametrize("count", [2, 3, 5])
def test_as_many_clusters_are_found_as_there_are(count: int) -> None:
    rows = blobs(count, width=5)
    found = choose(rows, rows, range(2, 9), seed=1)
    assert found is not None
    assert found.count == count
    assert found.agreement == 1.0
    assert max(found.ward, key=lambda one: found.ward[one]) == count


def test_fewer_distinct_rows_than_clusters_leave_fewer_numbers_to_choose_from() -> None:
    rows = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]], 30, axis=0)
    found = choose(rows, rows, range(2, 9), seed=1)
    assert found is not None
    assert set(found.silhouette) == {2, 3}
    assert choose(np.zeros((60, 2)), np.zeros((60, 2)), range(2, 9), seed=1) is None


def test_the_same_seed_makes_the_same_centroids() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 4))
    one, again = kmeans(rows, 5, seed=3), kmeans(rows, 5, seed=3)
    assert one is not None
    assert again is not None
    assert one.tobytes() == again.tobytes()


def test_wards_hierarchy_is_cut_into_the_number_wanted() -> None:
    cuts = ward(blobs(4), range(2, 6))
    assert {count: len(np.unique(cut)) for count, cut in cuts.items()} == {2: 2, 3: 3, 4: 4, 5: 5}
