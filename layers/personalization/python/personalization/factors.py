"""Latent factors at serving time: a user's vector from their history, and the items it points at.

Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets": with the items'
vectors fixed, a user's is the solution of a small linear system. A user who just acted is so folded in
without training anew, and a batch and a refresh compute the same.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.factor_index import FactorIndex
from personalization.model_tables import Floats, Ints

CONFIDENCE: Final = 5.0
"""Weight of an act of weight 1 against what the user did not act on, which weighs 1."""
REGULARIZATION: Final = 1.0
"""Keeps the vector of a user with one act short."""
BLOCK_ENTRIES: Final = 4_000_000
"""Scores held at a time, in doubles."""

Doubles = npt.NDArray[np.float64]


def fold_in(weights: sparse.csr_array, factors: Floats, gram: Doubles) -> Doubles:
    """Return users' vectors (b, d) for their weighted items (b, n); 0 for users without any.

    Solves (Y'Y + Y' diag(c) Y + `REGULARIZATION` I) x = Y' (1 + c), Y being the items' vectors, `gram` (d, d)
    their Y'Y and c = `CONFIDENCE` x weight. Cost a user: known items x d^2 + d^3.
    """
    known = np.flatnonzero(np.diff(weights.indptr))
    ridge = gram + REGULARIZATION * np.eye(factors.shape[1])
    systems = np.empty((len(known), *ridge.shape))
    wanted = np.empty((len(known), factors.shape[1], 1))
    for place, user in enumerate(known.tolist()):
        own = slice(weights.indptr[user], weights.indptr[user + 1])
        items = factors[weights.indices[own]].astype(np.float64)
        confidence = CONFIDENCE * weights.data[own].astype(np.float64)
        systems[place] = ridge + (items.T * confidence) @ items
        wanted[place, :, 0] = items.T @ (1.0 + confidence)
    vectors = np.zeros((weights.shape[0], factors.shape[1]))
    vectors[known] = np.linalg.solve(systems, wanted)[:, :, 0]
    return vectors


def nearest(
    vectors: Doubles,
    factors: Floats | Doubles,
    excluded: sparse.csr_array,
    count: int,
    index: FactorIndex | None = None,
) -> tuple[Ints, Ints]:
    """Return (users, items) of each user's `count` best items, users ascending, best first, ties by item.

    Users and items without factors and excluded items (b, n) are passed over. Without an index exact, in
    blocks of bounded memory; cost a user: n x d. With one, by a search that reaches as much further as the
    user has excluded items; cost a user: that of `FactorIndex.search`.
    """
    parts = (
        _exact(vectors, factors, excluded, count)
        if index is None
        else (
            _found(user, index, vectors, factors, excluded, count=count)
            for user in np.flatnonzero(vectors.any(axis=1)).tolist()
        )
    )
    none = np.empty(0, dtype=np.int64)
    users, items = zip((none, none), *parts, strict=True)
    return np.concatenate(users), np.concatenate(items)


def _exact(
    vectors: Doubles, factors: Floats | Doubles, excluded: sparse.csr_array, count: int
) -> Iterator[tuple[Ints, Ints]]:
    every = factors.astype(np.float64, copy=False)
    known = np.flatnonzero(vectors.any(axis=1))
    for start, end in _blocks(len(known), len(every)):
        users = known[start:end]
        scores = vectors[users] @ every.T
        hidden = excluded[users].tocoo()
        scores[hidden.coords] = 0.0
        rows, items = _best(scores, count)
        yield users[rows], items


def _found(
    user: int,
    index: FactorIndex,
    vectors: Doubles,
    factors: Floats | Doubles,
    excluded: sparse.csr_array,
    *,
    count: int,
) -> tuple[Ints, Ints]:
    """One user's best by the index, or exactly where it has no answer."""
    hidden = excluded.indices[excluded.indptr[user] : excluded.indptr[user + 1]]
    rows = index.search(vectors[user], count + len(hidden))
    if rows is None:
        ((_, items),) = _exact(vectors[[user]], factors, excluded[[user]], count)
    else:
        rows = np.setdiff1d(rows, hidden)
        scores = factors[rows].astype(np.float64) @ vectors[user]
        rows, scores = rows[scores != 0.0], scores[scores != 0.0]
        items = rows[np.lexsort((rows, -scores))[:count]]
    return np.full(len(items), user, dtype=np.int64), items


def _blocks(users: int, items: int) -> Iterator[tuple[int, int]]:
    step = max(BLOCK_ENTRIES // max(items, 1), 1)
    return ((start, min(start + step, users)) for start in range(0, users, step))


def _best(scores: Doubles, count: int) -> tuple[Ints, Ints]:
    """Of each row the largest entries but 0."""
    count = min(count, scores.shape[1])
    least = np.partition(scores, -count, axis=1)[:, -count, None]
    rows, items = np.nonzero(scores >= least)
    values = scores[rows, items]
    rows, items, values = (part[values != 0.0] for part in (rows, items, values))
    order = np.lexsort((items, -values, rows))
    rows, items = rows[order], items[order]
    starts = np.searchsorted(rows, np.arange(len(scores)))
    kept = np.arange(len(rows)) - starts[rows] < count
    return rows[kept], items[kept]


def affinity(vectors: Doubles, factors: Floats, users: Ints, items: Ints) -> Floats:
    """Return (m,) each user's score of each item, the same whatever else is in the block."""
    found: Floats = np.einsum("md,md->m", vectors.astype(np.float32)[users], factors[items])
    return found
