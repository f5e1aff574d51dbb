"""Items by what became of their impressions: the click-through rate behind the position bias."""

from typing import Final

import numpy as np

from training.impressions import Impressions
from training.propensities import Doubles, propensities

MAX_PRIOR: Final = 10_000.0
"""Impressions' worth of the log's mean at most, where items hardly differ."""


def click_through(shown: Impressions, items: int) -> Doubles:
    """Return (items,) each item's debiased click-through rate; 0 for all of a log without impressions.

    Clicks over expected clicks (Zhang and Jones, 2007): an impression counts as much as its place is looked
    at. Smoothed by empirical Bayes, Gamma-Poisson (Clayton and Kaldor, 1987): (clicks + m b) / (exposure + b)
    with the log's mean rate m, and b exposures of prior, so that m / b is the variance of the true rates, by
    moments. An item never shown has the mean. Cost: linear in impressions.
    """
    looked = propensities(shown)
    exposure = np.bincount(shown.item, weights=looked[shown.position], minlength=items)
    clicks = np.bincount(shown.item, weights=shown.clicked, minlength=items)
    if not clicks.sum():
        return np.zeros(items)
    mean = clicks.sum() / exposure.sum()
    prior = _prior(clicks, exposure, mean)
    rate: Doubles = (clicks + mean * prior) / (exposure + prior)
    return rate


def _prior(clicks: Doubles, exposure: Doubles, mean: float) -> float:
    """Exposures' worth of prior: mean / variance of the true rates, at most `MAX_PRIOR`.

    Of the squared distance of rates from the mean, chance alone makes mean / exposure.
    """
    shown = exposure > 0
    rate = clicks[shown] / exposure[shown]
    spread = (exposure[shown] * (rate - mean) ** 2).sum() / exposure.sum()
    variance = spread - mean * shown.sum() / exposure.sum()
    return float(min(mean / variance, MAX_PRIOR)) if variance > 0 else MAX_PRIOR
