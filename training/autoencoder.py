"""A linear autoencoder over items: what a user's items say of each other, popular detours taken out."""

from typing import Final

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from personalization.model_tables import NEIGHBOURS, strongest
from training.acts import Acts

MOST_ITEMS: Final = 3_000
"""The inverse costs the cube of the items: 2 s and 150 MB at this many. Of a larger catalogue the items with
most users take part; the others have propagation, factors and content."""
REGULARIZATION: Final = 100.0


def autoencode(sequence: Acts, items: int) -> sparse.csr_array:
    """Return (items, items) the weights of EASE (Steck, 2019), each row's `NEIGHBOURS` strongest.

    B = I - P diag(1 / diag P) with P = (X'X + `REGULARIZATION` I)^-1, X being who acted on what. Cost: acts
    times a user's items, and the cube of at most `MOST_ITEMS`.

    Parameters
    ----------
    sequence
        Each user's acts on new items; an item counts once.
    """
    support = np.bincount(sequence.item, minlength=items)
    known = np.sort(np.argsort(-support, kind="stable")[:MOST_ITEMS])
    known = known[support[known] > 0]
    if not len(known):
        return sparse.csr_array((items, items), dtype=np.float32)
    users = int(sequence.user.max()) + 1
    acted = sparse.csc_array(sequence.matrix(users, items))[:, known]
    gram = np.asarray((acted.T @ acted).todense(), dtype=np.float64)
    gram[np.diag_indices_from(gram)] += REGULARIZATION
    with threadpool_limits(1, "blas"):
        inverse = linalg.inv(gram, overwrite_a=True, assume_a="pos")
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0.0
    positive = sparse.csr_array(sparse.coo_array(np.maximum(weights, 0.0).astype(np.float32)))
    best = strongest(positive, NEIGHBOURS).tocoo()
    placed = (best.data, (known[best.coords[0]], known[best.coords[1]]))
    return sparse.csr_array(placed, shape=(items, items))
