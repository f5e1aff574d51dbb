"""Sample ratio mismatch: are users split as configured? If not, nothing else can be trusted.

Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments".
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

MISMATCH: Final = 0.01
"""An experiment is broken below this sequential p-value: at most one in a hundred is by chance, ever."""
CONCENTRATION: Final = 10_000.0
"""Of the Dirichlet prior about the configured weights: how near them a wrong split is expected to be."""
_DAY: Final = 86_400


def chi_squared(observed: Sequence[int], weights: Sequence[float]) -> float:
    """Return the p-value at one look (Pearson); 1 without users.

    >>> chi_squared([51_000, 49_000], [0.5, 0.5]) < 1e-9
    True
    """
    users, shares = _of_weight(np.asarray(observed), weights)
    if users.sum() == 0 or len(users) < 2:
        return 1.0
    return float(stats.chisquare(users, users.sum() * shares).pvalue)


def sequential(counts: NDArray[np.int64], weights: Sequence[float]) -> float:
    """Return the p-value over all looks; counts (looks, variants) are of each look's new users.

    Multinomial against its Dirichlet mixture: the least of 1 by the Bayes factor so far (Lindon and Malek,
    2022, "Anytime-valid inference for multinomial count data"), by `CONCENTRATION`.

    >>> round(sequential(np.array([[500, 600]]), [0.5, 0.5]), 6)
    0.671451
    """
    new, shares = _of_weight(counts, weights)
    if len(shares) < 2:
        return 1.0
    users, prior = np.cumsum(new, axis=0), CONCENTRATION * shares
    total = users.sum(axis=1)
    factor = (
        special.gammaln(CONCENTRATION)
        - special.gammaln(CONCENTRATION + total)
        + (special.gammaln(prior + users) - special.gammaln(prior)).sum(axis=1)
        - users @ np.log(shares)
    )
    return math.exp(min(0.0, -float(factor.max(initial=0.0))))


def by_day(variant: NDArray[np.int16], first_exposed: NDArray[np.int64], arms: int) -> NDArray[np.int64]:
    """Count who came on each day (UTC), oldest first, by variant (days, arms); empty days are left out.

    Cost: sorts the users' days, 0.1 µs a user.
    """
    days, of_day = np.unique(first_exposed // _DAY, return_inverse=True)
    counted = np.bincount(of_day * arms + variant, minlength=len(days) * arms)
    return counted.reshape(len(days), arms)


def _of_weight(
    counts: NDArray[np.int64], weights: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Leave out variants that nobody should get: who is in one from before says nothing of the rest."""
    shares = np.asarray(weights, np.float64)
    return counts[..., shares > 0], shares[shares > 0] / shares.sum()
