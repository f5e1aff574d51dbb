"""What impressions teach beside the labels: items passed over, and how well each item's places were seen."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from training.impressions import ATTRIBUTION_SECONDS, Impressions, Ints, first_of_equal
from training.propensities import Doubles, propensities

PRIOR_IMPRESSIONS: Final = 20.0
"""Impressions' worth of the log's mean propensity that is mixed into every item's."""


@dataclass(frozen=True)
class Lessons:
    """What a stage's impressions teach.

    Attributes
    ----------
    passed_over
        (users, items), 1 where an item was shown in the label window and not acted on.
    weight
        (items,), how much a label weighs: the more, the worse the places were that the item was shown at.
    """

    passed_over: sparse.csr_array
    weight: Doubles

    @classmethod
    def of(cls, shown: Impressions, known: Impressions, cut: Ints, next_cut: Ints, items: int) -> "Lessons":
        """Collect them between the cuts (users,) of a stage and of the next one. Cost: a sort of impressions.

        The window opens with the visit of a user's first label, `ATTRIBUTION_SECONDS` before it, and closes
        with that of the next stage's, so that no later label is taught as passed over. Weights come from the
        impressions `known` to the stage.
        """
        opened = cut[shown.user] - ATTRIBUTION_SECONDS
        window = shown.where((shown.at >= opened) & ~shown.clicked).mature_before(next_cut)
        pair = first_of_equal(window.item, window.user)
        entries = (np.ones(len(pair), dtype=np.float32), (window.user[pair], window.item[pair]))
        passed_over = sparse.csr_array(entries, shape=(len(cut), items))
        return cls(passed_over, label_weights(known, items))


def label_weights(shown: Impressions, items: int) -> Doubles:
    """Return (items,) the inverse of how likely an item's places are looked at, against the log's mean.

    Inverse propensity weighting (Joachims, Swaminathan and Schnabel, 2017) with the propensity averaged over
    the places that the item was shown at: an item that is always shown last and acted on all the same weighs
    more. Weights by each label's own place vary more, and say nothing else of the item. A weight lies between
    `LEAST` and 1 / `LEAST`, as propensities do; items not shown, and all without impressions, have 1.
    """
    if not len(shown):
        return np.ones(items)
    looked = propensities(shown)[shown.position]
    seen = np.bincount(shown.item, weights=looked, minlength=items)
    count = np.bincount(shown.item, minlength=items)
    mean = looked.mean()
    weight: Doubles = mean * (count + PRIOR_IMPRESSIONS) / (seen + mean * PRIOR_IMPRESSIONS)
    return weight
