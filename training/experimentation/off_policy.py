"""What another policy would have earned, from a log that kept how likely each choice was.

Rows are choices: a reward, and a weight, the target policy's probability of what was chosen over the logging
policy's. A weight counts at most `clip`: that bounds the variance and biases estimates, that of `ips` towards
less. Rows are taken for independent, so intervals are too narrow where a user made several; then give each
user's mean. Cost: linear in rows.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from personalization.errors import InvalidInput

Doubles = NDArray[np.float64]
CLIP: Final = 100.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Importance weights, clipped.

    Attributes
    ----------
    clipped
        Share of rows whose weight was cut.
    mean
        1, but for chance, if nothing is cut and the log's policy makes every choice of the target's; what is
        missing to 1 is the share of the target's choices that the estimate does not see.
    effective
        Effective sample size: as many rows logged by the target itself would tell as much (Kish, 1965).
    """

    values: Doubles
    clipped: float
    mean: float
    effective: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value by row, and its asymptotic interval."""

    value: float
    error: float
    low: float
    high: float


def importance_weights(target: Doubles, logged: Doubles, *, clip: float = CLIP) -> Weights:
    """Divide the target's probabilities of what was chosen by the logged ones.

    Raises
    ------
    InvalidInput
        `invalid_propensities`: no rows, or probabilities outside of (0, 1], or of [0, 1] for the target.

    >>> importance_weights(np.array([0.5, 0.5]), np.array([0.25, 0.75])).values.round(2).tolist()
    [2.0, 0.67]
    """
    valid = (logged > 0) & (logged <= 1) & (target >= 0) & (target <= 1)
    if len(logged) == 0 or not valid.all():
        first = int(np.argmin(valid)) if len(logged) else 0
        raise InvalidInput(
            "invalid_propensities",
            f"row {first}: a logged probability must be above 0 and at most 1, the target's within 0 and 1",
        )
    raw = target / logged
    cut = np.minimum(raw, clip)
    total, squares = float(cut.sum()), float((cut**2).sum())
    return Weights(
        cut,
        clipped=float((raw > clip).mean()),
        mean=total / len(raw),
        effective=total**2 / squares if squares > 0 else 0.0,
    )


def ips(reward: Doubles, weights: Weights, *, alpha: float = 0.05) -> Estimate:
    """Inverse propensity scoring: the mean of weighted rewards (Horvitz and Thompson, 1952)."""
    return _mean(weights.values * reward, alpha)


def snips(reward: Doubles, weights: Weights, *, alpha: float = 0.05) -> Estimate:
    """Self-normalized IPS: divided by the weights' sum (Swaminathan and Joachims, 2015).

    Its error is the delta method's.

    >>> weights = importance_weights(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    >>> round(snips(np.array([1.0, 0.0]), weights).value, 2)
    0.75
    """
    if weights.mean == 0:
        return Estimate(math.nan, math.inf, -math.inf, math.inf)
    value = float((weights.values * reward).mean()) / weights.mean
    about = _mean(weights.values * (reward - value) / weights.mean, alpha)
    return Estimate(value, about.error, value + about.low - about.value, value + about.high - about.value)


def doubly_robust(
    reward: Doubles, weights: Weights, *, predicted: Doubles, expected: Doubles, alpha: float = 0.05
) -> Estimate:
    """Correct a model of the reward by what it missed, weighted (Dudík, Langford and Li, 2011).

    Right in the mean if either the model or the propensities are; the model must not have seen the row.

    Parameters
    ----------
    predicted
        The model's reward of what was chosen.
    expected
        The model's mean reward over the target's choices.
    """
    return _mean(expected + weights.values * (reward - predicted), alpha)


def _mean(values: Doubles, alpha: float) -> Estimate:
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    width = float(special.ndtri(1 - alpha / 2)) * error
    return Estimate(mean, error, mean - width, mean + width)
