"""Thompson sampling of variants with yes or no rewards: a share of the traffic by the chance of being best.

Thompson (1933); Chapelle and Li (2011), "An empirical evaluation of Thompson sampling". Each choice is logged
with its propensity: means of what such a bandit saw are biased (Nie et al., 2018, "Why adaptively collected
data have negative bias"), and `off_policy` and `effective_counts` undo that.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from personalization.errors import InvalidInput

Doubles = NDArray[np.float64]
FLOOR: Final = 0.05
"""No variant gets less of the traffic: propensities stay away from 0, so that estimates stay possible."""
_GRID: Final = 1_024


def best_probabilities(
    successes: Sequence[float], trials: Sequence[float], *, design_effect: float = 1.0
) -> list[float]:
    """Return how likely each variant has the highest rate, given uniform priors.

    Beta posteriors, integrated over quantiles of each in turn, so nothing is drawn: P(k is best) is the mean,
    over u in (0, 1), of the product of all others' distribution functions at k's quantile u. Cost: 1,024
    times the square of the variants.

    Parameters
    ----------
    design_effect
        How much more the rate varies than by independent trials: several impressions of one user are not.

    Raises
    ------
    InvalidInput
        `invalid_proportion`.

    >>> [round(p, 2) for p in best_probabilities([30, 50], [1_000, 1_000])]
    [0.01, 0.99]
    """
    won, of = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    if not (np.all(won >= 0) and np.all(won <= of) and np.all(np.isfinite(of)) and design_effect >= 1):
        raise InvalidInput(
            "invalid_proportion", "successes must be among the trials, design effects 1 or more"
        )
    a, b = 1 + won / design_effect, 1 + (of - won) / design_effect
    quantiles = special.betaincinv(a, b, ((np.arange(_GRID) + 0.5) / _GRID)[:, None])
    below = special.betainc(a, b, quantiles[:, :, None])
    itself = np.arange(len(won))
    below[:, itself, itself] = 1.0
    likely = below.prod(axis=2).mean(axis=0)
    return [float(p) for p in likely / likely.sum()]


def allocate(probabilities: Sequence[float], *, floor: float = FLOOR) -> list[float]:
    """Turn chances of being best into weights of variants: `floor` for each, the rest in proportion.

    >>> [round(weight, 3) for weight in allocate([0.01, 0.99])]
    [0.059, 0.941]
    """
    if not 0 < floor <= 1 / len(probabilities):
        raise InvalidInput("invalid_floor", f"a floor must be above 0 and at most 1 / {len(probabilities)}")
    rest = 1 - floor * len(probabilities)
    return [floor + rest * p for p in probabilities]


def choose(weights: Sequence[float], rng: np.random.Generator) -> tuple[int, float]:
    """Draw a variant, with the propensity to log."""
    chosen = int(rng.choice(len(weights), p=weights))
    return chosen, weights[chosen]


def effective_counts(
    variant: NDArray[np.int64], reward: Doubles, propensity: Doubles, variants: int
) -> tuple[list[float], list[float]]:
    """Return successes and trials of each variant from a log with propensities, for `best_probabilities`.

    Rates are self-normalized inverse propensity estimates, trials effective sample sizes. With one propensity
    throughout these are the plain counts.

    >>> log = np.array([0, 0, 1, 1]), np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.5, 0.25, 0.5, 0.75])
    >>> [[round(count, 2) for count in counts] for counts in effective_counts(*log, variants=2)]
    [[0.6, 1.92], [1.8, 1.92]]
    """
    weight = 1 / propensity
    total = np.bincount(variant, weight, variants)
    trials = total**2 / np.maximum(np.bincount(variant, weight**2, variants), np.finfo(float).tiny)
    rate = np.bincount(variant, weight * reward, variants) / np.maximum(total, np.finfo(float).tiny)
    return (trials * rate).tolist(), trials.tolist()
