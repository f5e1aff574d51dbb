"""Metrics of ranked lists: how high the one relevant item is, and what the lists are like beyond accuracy.

The metrics of accuracy take ranks; rank 0 stands for *not in the list*. Ties are broken before ranks are
taken (`ranking.best_by_user`: the item earlier in the catalogue first), so a metric is a plain function of
ranks. The others take *lists*, (b, k): each user's items, best first, -1 behind the end of a shorter list;
they return one value a user, NaN where they are not defined.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

SMOOTHING: Final = 0.01
"""Alpha of `miscalibration`: so much of the wanted distribution is mixed into the found one."""
RESAMPLES: Final = 1_000


def hit_rate(ranks: Ints, k: int) -> float:
    """Share of users whose item is among the first k; 0 for no users. Equals recall@k for one item.

    >>> hit_rate(np.array([1, 11, 0, 10]), 10)
    0.5
    """
    return float(np.mean(_found(ranks, k))) if len(ranks) else 0.0


def ndcg(ranks: Ints, k: int) -> float:
    """Mean of 1 / log2(rank + 1) of items among the first k (Järvelin and Kekäläinen, 2002).

    >>> ndcg(np.array([1, 3, 0, 11]), 10)
    0.375
    """
    return float(np.mean(gains(ranks, k))) if len(ranks) else 0.0


def gains(ranks: Ints, k: int) -> Doubles:
    """Each user's NDCG@k."""
    return np.where(_found(ranks, k), 1.0 / np.log2(np.maximum(ranks, 1) + 1.0), 0.0)


def mean_reciprocal_rank(ranks: Ints, k: int) -> float:
    """Mean of 1 / rank of items among the first k.

    >>> mean_reciprocal_rank(np.array([1, 4, 0, 20]), 10)
    0.3125
    """
    return float(np.mean(np.where(_found(ranks, k), 1.0 / np.maximum(ranks, 1), 0.0))) if len(ranks) else 0.0


def _found(ranks: Ints, k: int) -> npt.NDArray[np.bool_]:
    return (ranks > 0) & (ranks <= k)


def mean_interval(values: Doubles) -> tuple[float, float]:
    """Ends of the 95% percentile bootstrap interval of the mean of values (n,) (Efron, 1979).

    Resampling n values is a multinomial draw of how often each distinct one comes. Values made of ranks have
    few distinct ones, *d*: cost O(n log n + `RESAMPLES` d), memory O(n + `RESAMPLES` d). Always the same for
    the same values, in any order. Of fewer than two values nothing is known: the ends are infinite.

    >>> mean_interval(np.array([0.5, 0.5]))
    (0.5, 0.5)
    """
    if len(values) < 2:
        return -np.inf, np.inf
    distinct, counts = np.unique(values, return_counts=True)
    draws = np.random.default_rng(0).multinomial(len(values), counts / len(values), size=RESAMPLES)
    low, high = np.quantile(draws @ distinct / len(values), (0.025, 0.975))
    return float(low), float(high)


def average_precision(hits: npt.NDArray[np.bool_], relevant: Ints, k: int) -> Doubles:
    """Sum of precision@i over the places i of hits among the first k, by min(relevant, k).

    Manning, Raghavan and Schütze (2008), section 8.4, with the sum cut off at k as in the Kaggle and RecSys
    challenges. With one relevant item its mean over users equals the mean reciprocal rank.

    Parameters
    ----------
    hits
        (b, m), whether the item at each place is relevant.
    relevant
        (b,), how many relevant items there are, in the list or not.

    >>> average_precision(np.array([[True, False, True]]), np.array([2]), 10).round(4).tolist()
    [0.8333]
    """
    first = hits[:, :k]
    precision = np.cumsum(first, axis=1) / np.arange(1, first.shape[1] + 1)
    return np.asarray((precision * first).sum(axis=1) / np.maximum(np.minimum(relevant, k), 1))


def binary_ndcg(hits: npt.NDArray[np.bool_], relevant: Ints) -> Doubles:
    """(b,), NDCG of lists of relevant and other items (Järvelin and Kekäläinen, 2002).

    Parameters
    ----------
    hits
        (b, k), whether the item at each place is relevant.
    relevant
        (b,), how many relevant items there are, in the list or not; one at least.

    >>> binary_ndcg(np.array([[True, False, True]]), np.array([2])).round(4).tolist()
    [0.9197]
    """
    discount = 1.0 / np.log2(np.arange(hits.shape[1]) + 2.0)
    ideal = np.cumsum(discount)[np.minimum(relevant, hits.shape[1]) - 1]
    return np.asarray((hits * discount).sum(axis=1) / ideal)


def catalogue_coverage(exposure: Ints) -> float:
    """Share of the catalogue that is recommended to anyone (Ge, Delgado-Battenfeld and Jannach, 2010).

    `exposure` (n,) counts the lists each item is in.

    >>> catalogue_coverage(np.array([3, 0, 1, 0]))
    0.5
    """
    return float(np.mean(exposure > 0)) if len(exposure) else 0.0


def self_information(known_by: Ints, users: int) -> Doubles:
    """-log2 of the share of users who know each item: its surprise in bits (Zhou et al., 2010).

    An item nobody knows is taken to be known to one user. Novelty of a list is the mean over its items.

    >>> self_information(np.array([4, 1, 0]), 4).tolist()
    [0.0, 2.0, 2.0]
    """
    return np.asarray(np.log2(max(users, 1)) - np.log2(np.maximum(known_by, 1)))


def mean_of_list(values: Doubles, lists: Ints) -> Doubles:
    """(b,), mean of a value (n,) of items over each list.

    >>> mean_of_list(np.array([1.0, 2.0, 6.0]), np.array([[0, 2], [1, -1]])).tolist()
    [3.5, 2.0]
    """
    inside = lists >= 0
    total = np.where(inside, values[np.maximum(lists, 0)], 0.0).sum(axis=1)
    return _ratio(total, inside.sum(axis=1))


def intra_list_diversity(lists: Ints, similarity: sparse.csr_array) -> Doubles:
    """(b,), 1 - mean similarity of a list's pairs (Smyth and McClave, 2001; Ziegler et al., 2005).

    `similarity` (n, n) is symmetric, with values from 0 to 1; absent entries are 0. Lists of fewer than two
    items have no diversity.
    """
    left, right = np.triu_indices(lists.shape[1], 1)
    one, other = lists[:, left], lists[:, right]
    inside = (one >= 0) & (other >= 0)
    user = np.nonzero(inside)[0]
    alike = np.bincount(user, weights=_entries(similarity, one[inside], other[inside]), minlength=len(lists))
    return 1.0 - _ratio(alike, inside.sum(axis=1))


def miscalibration(lists: Ints, history: sparse.csr_array, category: Ints) -> Doubles:
    """(b,), Kullback-Leibler divergence of the list's categories from the history's, in nats (Steck, 2018).

    The sum over categories of p log(p / q'), p being a category's share of the user's history, q its share
    of the list, and q' = (1 - `SMOOTHING`) q + `SMOOTHING` p; 0 is perfectly calibrated. Items without a
    category count on neither side.

    Parameters
    ----------
    history
        (b, n), an entry for each known item; all weigh the same.
    category
        (n,), code of each item's category, -1 for none.
    """
    shape = (len(lists), int(category.max(initial=0)) + 1)
    known = np.repeat(np.arange(len(lists)), np.diff(history.indptr))
    inside = lists >= 0
    wanted = _distribution(known, category[history.indices], shape)
    found = _distribution(np.nonzero(inside)[0], category[lists[inside]], shape)
    user, p = np.repeat(np.arange(len(lists)), np.diff(wanted.indptr)), wanted.data
    q = (1 - SMOOTHING) * _entries(found, user, wanted.indices) + SMOOTHING * p
    divergence = np.bincount(user, weights=p * np.log(p / q), minlength=len(lists))
    return np.where(np.diff(wanted.indptr) > 0, divergence, np.nan)


def _distribution(user: Ints, code: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """Share of each code (b, codes) in each user's; codes of -1 are passed over."""
    known = code >= 0
    user, code = user[known], code[known]
    share = 1.0 / np.maximum(np.bincount(user, minlength=shape[0]), 1)
    return sparse.csr_array((share[user], (user, code)), shape=shape)


def _entries(matrix: sparse.csr_array, rows: Ints, columns: npt.NDArray[np.integer]) -> Doubles:
    """(m,), entries at (rows, columns); absent ones are 0."""
    return np.asarray(matrix[rows, columns], dtype=np.float64) if len(rows) else np.zeros(0)


def _ratio(total: Doubles, count: Ints) -> Doubles:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
