"""Clusters of rows and how good they are: K-means, Ward's hierarchy, silhouette, agreement, and a projection.

Lambda's layer limit has no room for scikit-learn; the tests compare with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import ClusterError, kmeans2, vq
from scipy.spatial.distance import cdist

from training.metrics import Doubles, Ints

ITERATIONS: Final = 30
STARTS: Final = 4


def kmeans(rows: Doubles, count: int, *, seed: int) -> Doubles | None:
    """Return (count, d) centroids of Lloyd's algorithm from the best of `STARTS` k-means++ starts.

    The best has the least mean distance to the nearest centroid, the first of equal ones. None if every start
    lost a cluster; give it as many distinct rows as clusters at least. Cost O(rows x count x d).
    """
    chance = np.random.default_rng([seed, count])
    best, least = None, np.inf
    for _ in range(STARTS):
        try:
            centroids, _ = kmeans2(rows, count, iter=ITERATIONS, minit="++", missing="raise", rng=chance)
        except ClusterError:
            continue
        nearest, distance = vq(rows, centroids)
        # The last step moved the centroids: that may have left one with no row of its own.
        if len(np.unique(nearest)) == count and distance.mean() < least:
            best, least = np.asarray(centroids, dtype=np.float64), float(distance.mean())
    return best


def assign(rows: Doubles, centroids: Doubles) -> Ints:
    """Return (n,) the nearest centroid of each row, the first of equally near ones."""
    nearest, _ = vq(rows, centroids)
    return np.asarray(nearest, dtype=np.int64)


def ward(rows: Doubles, counts: range) -> dict[int, Ints]:
    """Cut Ward's hierarchy (Ward, 1963) into each number of clusters. Cost and memory O(rows^2)."""
    tree = linkage(rows, method="ward")
    return {count: fcluster(tree, count, criterion="maxclust").astype(np.int64) - 1 for count in counts}


@dataclass(frozen=True)
class Silhouette:
    """Distances of rows, kept to judge several clusterings of them. Memory O(rows^2).

    >>> silhouette = Silhouette.of(np.array([[0.0], [1.0], [10.0], [11.0]]))
    >>> round(silhouette.mean(np.array([0, 0, 1, 1])), 4)
    0.8997
    """

    distance: Doubles

    @classmethod
    def of(cls, rows: Doubles) -> "Silhouette":
        """Measure all pairs of rows."""
        return cls(cdist(rows, rows))

    def mean(self, labels: Ints) -> float:
        """Mean over the rows of (b - a) / max(a, b) (Rousseeuw, 1987), from -1 to 1.

        *a* is a row's mean distance to its own cluster's others, *b* to the nearest other cluster's rows; a
        row alone in its cluster counts 0. Of fewer than two clusters nothing is known: 0.
        """
        names, code = np.unique(labels, return_inverse=True)
        if len(names) < 2:
            return 0.0
        member = np.eye(len(names))[code]
        sizes = member.sum(axis=0)
        total = self.distance @ member
        rows = np.arange(len(code))
        own = total[rows, code] / np.maximum(sizes[code] - 1, 1)
        others = total / sizes
        others[rows, code] = np.inf
        nearest = others.min(axis=1)
        width = np.maximum(own, nearest)
        known = (sizes[code] > 1) & (width > 0)
        return float(np.mean(np.where(known, (nearest - own) / np.where(width > 0, width, 1.0), 0.0)))


def agreement(one: Ints, other: Ints) -> float:
    """Adjusted Rand index of two clusterings (Hubert and Arabie, 1985): 1 is the same, 0 as by chance.

    >>> agreement(np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3]))
    1.0
    """
    _, left = np.unique(one, return_inverse=True)
    _, right = np.unique(other, return_inverse=True)
    width = int(right.max(initial=0)) + 1
    cells = np.bincount(left * width + right)
    both, pairs = _pairs(cells), _pairs(np.array([len(one)]))
    ones, others = _pairs(np.bincount(left)), _pairs(np.bincount(right))
    expected = ones * others / pairs if pairs else 0.0
    most = (ones + others) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _pairs(sizes: Ints) -> float:
    return float((sizes * (sizes - 1) // 2).sum())


def principal_axes(rows: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Return (d, count) the axes along which centred rows vary most, and (count,) their shares of variance.

    By singular values; an axis points to where its largest entry is positive, so that equal rows give equal
    axes. Axes that rows of few columns don't have are 0.
    """
    axes, shares = np.zeros((rows.shape[1], count)), np.zeros(count)
    _, values, turned = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    found = min(count, len(values))
    variance = values**2
    if found and variance.sum() > 0:
        signs = np.sign(turned[np.arange(found), np.abs(turned[:found]).argmax(axis=1)])
        axes[:, :found] = (turned[:found] * signs[:, None]).T
        shares[:found] = variance[:found] / variance.sum()
    return axes, shares


@dataclass(frozen=True)
class Choice:
    """Clusterings of one sample by number of clusters, and the one that is told apart best.

    Attributes
    ----------
    centroids
        (count, d) of the best one.
    silhouette, ward
        Number of clusters -> mean silhouette of K-means, and of Ward's hierarchy, on the sample.
    agreement
        Of both with the best number.
    """

    centroids: Doubles
    silhouette: Mapping[int, float]
    ward: Mapping[int, float]
    agreement: float

    @property
    def count(self) -> int:
        """The best number of clusters."""
        return len(self.centroids)


def choose(rows: Doubles, sample: Doubles, counts: range, *, seed: int, least: int = 1) -> Choice | None:
    """Fit K-means to rows (n, d) with each number of clusters; the greatest silhouette on the sample wins.

    A tie goes to fewer clusters. Numbers that leave a cluster with fewer than `least` rows are passed over.
    None if no number of clusters can be had.
    """
    distinct = len(np.unique(rows, axis=0))
    fitted = {count: kmeans(rows, count, seed=seed) for count in counts if count <= distinct}
    labels = {
        count: assign(sample, found)
        for count, found in fitted.items()
        if found is not None and np.bincount(assign(rows, found), minlength=count).min() >= least
    }
    if not labels:
        return None
    silhouette, cuts = Silhouette.of(sample), ward(sample, counts)
    means = {count: silhouette.mean(label) for count, label in labels.items()}
    best = max(means, key=lambda count: (means[count], -count))
    centroids = fitted[best]
    assert centroids is not None  # noqa: S101 - it has labels
    return Choice(
        centroids=centroids,
        silhouette=means,
        ward={count: silhouette.mean(cut) for count, cut in cuts.items()},
        agreement=agreement(labels[best], cuts[best]),
    )
