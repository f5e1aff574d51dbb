"""Factorizes who acted on what: the items' vectors, which `personalization.factors` folds users into."""

from typing import Final

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from training.acts import Acts, Floats

FACTORS: Final = 64
ITEMS_A_FACTOR: Final = 8
"""A small catalogue gets fewer factors: as many as items would learn users by heart."""
CONFIDENCE: Final = 10.0
REGULARIZATION: Final = 0.05
ITERATIONS: Final = 12


def factorize(sequence: Acts, items: int, *, seed: int = 0) -> Floats:
    """Return the items' vectors (items, d) by alternating least squares; 0 for items without acts.

    d is `FACTORS`, or less for a small catalogue.

    Hu, Koren and Volinsky (2008), by `implicit` with the conjugate gradient of Takács, Pilászy and Tikk
    (2011). Deterministic for a seed. Cost: iterations x (acts x d + (users + items) x d^2).

    Parameters
    ----------
    sequence
        Each user's acts on new items; an item counts once.
    """
    known = np.unique(sequence.item)
    width = min(FACTORS, len(known) // ITEMS_A_FACTOR + 1)
    factors = np.zeros((items, width), dtype=np.float32)
    if not len(known):
        return factors
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 - half a second, and only who trains pays it

    users = int(sequence.user.max()) + 1
    seen = sparse.csr_matrix(sequence.matrix(users, items)[:, known])
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=width,
            alpha=CONFIDENCE,
            regularization=REGULARIZATION,
            iterations=ITERATIONS,
            num_threads=0,
            random_state=seed,
        )
        model.fit(seen, show_progress=False)
    factors[known] = model.item_factors
    return factors
