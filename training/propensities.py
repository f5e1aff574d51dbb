"""Examination propensities: how likely a place in a slate is looked at, estimated from the log itself.

The position-based model (Craswell et al., 2008) says that a click needs a look and a liking:
P(click | item, position) = examination(position) x attraction(item). Both factors are fitted to the counts of
clicks by item and position, so that what is compared is the same item at several places, as intervention
harvesting does (Agarwal et al., 2019): good items that are always shown first don't make the first place look
better than it is. Slates in the order of a user's own taste still do; only places drawn at random, the
exploration of a policy, tell the two apart for certain.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.charts import bars
from training.impressions import Impressions

PRIOR_CLICKS: Final = 10.0
"""Expected clicks' worth of no bias that is mixed into every place: one hardly ever shown says nothing."""
LEAST: Final = 0.1
"""No propensity is less: an inverse one weighs at most ten times (clipping; Strehl et al., 2010)."""
ROUNDS: Final = 50
TOLERANCE: Final = 1e-6
Doubles = npt.NDArray[np.float64]


class Examination(msgspec.Struct, frozen=True):
    """What the report says of the places of a slate.

    Attributes
    ----------
    propensities, impressions, clicks
        One a place, from the first; a propensity is relative to the first place's.
    """

    propensities: tuple[float, ...]
    impressions: tuple[int, ...]
    clicks: tuple[int, ...]


def propensities(shown: Impressions) -> Doubles:
    """Estimate (places,) how likely each place is looked at, against the first; at least `LEAST`.

    Maximum likelihood of Poisson counts with one factor an item and one a place, by alternating until neither
    changes (iterative proportional fitting), shrunk to 1 by `PRIOR_CLICKS`. Cost: linear in impressions once,
    then in (item, place) pairs a round, at most `ROUNDS`. Empty without impressions.
    """
    places = int(shown.position.max(initial=0)) + 1 if len(shown) else 0
    counted = _by_item_and_place(shown, np.ones(len(shown)), places)
    clicks = _by_item_and_place(shown, shown.clicked.astype(np.float64), places)
    of_item, of_place = clicks.sum(axis=1), clicks.sum(axis=0)
    looked = np.ones(places)
    for _ in range(ROUNDS):
        attraction = of_item / np.maximum(counted @ looked, 1e-12)
        expected = counted.T @ attraction
        after = (of_place + PRIOR_CLICKS) / (expected + PRIOR_CLICKS)
        after /= after[0] if places else 1.0
        done = np.abs(after - looked).max(initial=0.0) < TOLERANCE
        looked = after
        if done:
            break
    return np.maximum(looked, LEAST)


def _by_item_and_place(shown: Impressions, weight: Doubles, places: int) -> sparse.csr_array:
    shape = (int(shown.item.max(initial=-1)) + 1, places)
    return sparse.csr_array((weight, (shown.item, shown.position)), shape=shape)


def examine(shown: Impressions) -> Examination:
    """Estimate the propensities, with the counts they are made of."""
    looked = propensities(shown)
    counts = np.bincount(shown.position, minlength=len(looked))
    clicks = np.bincount(shown.position[shown.clicked], minlength=len(looked))
    rounded = tuple(round(float(value), 4) for value in looked)
    return Examination(rounded, tuple(counts.tolist()), tuple(clicks.tolist()))


def examination_section(found: Examination) -> str:
    """Lay out the propensities as HTML."""
    if not found.propensities:
        return "<p class=soft>The log holds no impressions: labels count alike wherever they were shown.</p>"
    values = {
        f"place {place}: {clicks:,} of {shown:,} acted on": value
        for place, (value, shown, clicks) in enumerate(
            zip(found.propensities, found.impressions, found.clicks, strict=True), 1
        )
    }
    return (
        "<p class=soft>How likely each place of a slate is looked at, against the first, estimated from what "
        f"was shown and acted on within the hour. None is taken for less than {LEAST:g}.</p>"
        + bars(values, "{:.2f}", label="examination propensity by place")
    )
