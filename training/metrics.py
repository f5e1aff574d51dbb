"""Ranking metrics for one relevant item a user, from the rank at which it was found.

Rank 0 stands for *not in the list*. Ties are broken before ranks are taken (`ranking.best_by_user`: the item
earlier in the catalogue first), so a metric is a plain function of ranks.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


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


def gains(ranks: Ints, k: int) -> npt.NDArray[np.float64]:
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
