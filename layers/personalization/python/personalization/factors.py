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

from personalization.model_tables import Floats, Ints

CONFIDENCE: Final = 5.0
"""Weight of an act of weight 1 against what the user did not act on, which weighs 1."""
REGULARIZATION: Final = 1.0
"""Keeps the vector of a user with one act short."""
BLOCK_ENTRIES: Final = 4_000_000
"""Scores held at a time, in doubles."""

Doubles = npt.NDArray[np.float64]


def fold_in(weights: sparse.csr_array, factors: Floats) -> Doubles:
    """Return users' vectors (b, d) for their weighted items (b, n); 0 for users without any.

    Solves (Y'Y + Y' diag(c) Y + `REGULARIZATION` I) x = Y' (1 + c), Y being the items' vectors and
    c = `CONFIDENCE` x weight. Cost a user: items x d^2 + d^3.
    """
    every = factors.astype(np.float64)
    gram = every.T @ every + REGULARIZATION * np.eye(factors.shape[1])
    vectors = np.zeros((weights.shape[0], factors.shape[1]))
    for user in np.flatnonzero(np.diff(weights.indptr)):
        known = slice(weights.indptr[user], weights.indptr[user + 1])
        items, confidence = every[weights.indices[known]], CONFIDENCE * weights.data[known].astype(np.float64)
        vectors[user] = np.linalg.solve(gram + (items.T * confidence) @ items, items.T @ (1.0 + confidence))
    return vectors


def nearest(vectors: Doubles, factors: Floats, excluded: sparse.csr_array, count: int) -> tuple[Ints, Ints]:
    """Return (users, items) of each user's `count` best items, users ascending, best first, ties by item.

    Users and items without factors and excluded items (b, n) are passed over. Exact, in blocks of bounded
    memory; cost a user: n x d.
    """
    every = factors.astype(np.float64)
    found: list[tuple[Ints, Ints]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
    for start, end in _blocks(len(vectors), len(every)):
        scores = vectors[start:end] @ every.T
        hidden = excluded[start:end].tocoo()
        scores[hidden.coords] = 0.0
        found.append(_best(scores, count, start))
    users, items = zip(*found, strict=True)
    return np.concatenate(users), np.concatenate(items)


def _blocks(users: int, items: int) -> Iterator[tuple[int, int]]:
    step = max(BLOCK_ENTRIES // max(items, 1), 1)
    return ((start, min(start + step, users)) for start in range(0, users, step))


def _best(scores: Doubles, count: int, first_user: int) -> tuple[Ints, Ints]:
    """Of each row the largest entries but 0."""
    count = min(count, scores.shape[1])
    least = np.partition(scores, -count, axis=1)[:, -count, None]
    users, items = np.nonzero((scores >= least) & (scores != 0.0))
    order = np.lexsort((items, -scores[users, items], users))
    users, items = users[order], items[order]
    starts = np.searchsorted(users, np.arange(len(scores)))
    kept = np.arange(len(users)) - starts[users] < count
    return users[kept] + first_user, items[kept]


def affinity(vectors: Doubles, factors: Floats, users: Ints, items: Ints) -> Floats:
    """Return (m,) each user's score of each item, the same whatever else is in the block."""
    found: Floats = np.einsum("md,md->m", vectors[users], factors[items]).astype(np.float32)
    return found
