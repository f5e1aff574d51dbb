"""Features: one function of (profiles, candidates, time), for training, batch ranking and live refresh.

Missing values are NaN, which LightGBM learns a direction for: the rank at a source that does not offer an
item, an unknown price. No feature looks past the profile it is given or the tables' time. What was shown last
is not a feature: the slate a click came from is in the profile before the click, and would give the label
away.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.candidates import SOURCES, Candidates, History
from personalization.entries import Entries, each_of, stacked
from personalization.events import EventType
from personalization.factors import affinity, fold_in
from personalization.model_tables import POPULARITY_DAYS, Floats, Ints, Tables, entries_at
from personalization.profiles import CODES, Profile

_DAY: Final = 86_400.0
_OF_LAST: Final = ("covisitation", "transition", "content", "autoencoder")
"""Similarities of an item to the user's last one alone; sources look at more of the history."""
_ASKED: Final = {
    "covisitation": ("newest", "whole"),
    "transition": ("newest", "previous"),
    "content": ("newest",),
    "autoencoder": ("newest", "whole"),
}
"""Similarity -> the parts of the history that it is asked about."""
_LINKS: Final = ("covisitation", "transition")
"""Similarities of which it is also told how many of the history's items bring the item."""
_WHOLE: Final = ("covisitation", "autoencoder")
"""Similarities that are also summed over the history without decay: who comes back after months is asked for
more than what they came for last."""
FEATURES: Final = (
    *(f"{source}_score" for source in SOURCES),
    *(f"{source}_rank" for source in SOURCES),
    "sources",
    *(f"last_{name}" for name in _OF_LAST),
    "previous_transition",
    "transition_back",
    *(f"{name}_links" for name in _LINKS),
    *(f"whole_{name}" for name in (*_WHOLE, "factors")),
    *(f"popularity_{days}d" for days in POPULARITY_DAYS),
    "item_age_days",
    "price",
    "price_ratio",
    "category_affinity",
    "same_category_as_last",
    "user_items",
    "user_days_idle",
    "user_tenure_days",
    "user_purchases",
    "user_impressions",
)
"""Names of the columns, in order. The model stores them, and refuses to score others."""


def features(
    candidates: Candidates, profiles: Sequence[Profile], history: History, tables: Tables, at: Ints
) -> Floats:
    """Compute the feature matrix (candidates, len(FEATURES)). Cost O(candidates + history).

    `at` (b,) is each user's now, in seconds since 1970: the time of the request, or, in training, of the
    label.
    """
    user, item = candidates.user, candidates.item
    category, same_category = _category_affinity(candidates, history, tables)
    first_seen = tables.first_seen[item]
    linked = _linked(candidates, history, tables)
    columns = [
        *candidates.score.T,
        *candidates.rank.T,
        (~np.isnan(candidates.rank)).sum(axis=1),
        *(linked[name, "newest"] for name in _OF_LAST),
        linked["transition", "previous"],
        _back(candidates, history, tables),
        *_links(candidates, history, tables),
        *(linked[name, "whole"] for name in _WHOLE),
        _taste(candidates, history, tables),
        *tables.popularity[item].T,
        np.where(first_seen > 0, (at[user] - first_seen) / _DAY, np.nan),
        tables.price[item],
        tables.price[item] / _typical_price(history, tables)[user],
        category,
        same_category,
        *_user_features(profiles, history, at)[user].T,
    ]
    # Column by column in memory, which LightGBM reads as it is.
    matrix = np.empty((len(FEATURES), len(item)), dtype=np.float32)
    for row, column in zip(matrix, columns, strict=True):
        row[:] = column
    return matrix.T


def _linked(candidates: Candidates, history: History, tables: Tables) -> dict[tuple[str, str], Floats]:
    """(similarity, part of the history) -> (c,), what the one says from the other to a candidate."""
    shape = candidates.users, len(tables.items)
    parts = {
        "newest": _one_each(history.newest, shape),
        "previous": _one_each(history.previous, shape),
        "whole": history.whole,
    }
    found = {}
    for name, asked in _ASKED.items():
        product = Entries.of(stacked([parts[part] for part in asked]) @ tables.similarities[name])
        for part, entries in zip(asked, each_of(product, len(asked)), strict=True):
            found[name, part] = entries.at(candidates.codes)
    return found


def _one_each(rows: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """(b, n), 1 at each user's row (b,); -1 is none."""
    known = rows >= 0
    starts = np.concatenate(([0], np.cumsum(known)))
    return sparse.csr_array((np.ones(starts[-1], dtype=np.float32), rows[known], starts), shape=shape)


def _back(candidates: Candidates, history: History, tables: Tables) -> Floats:
    """(c,), how often the user's last item comes after a candidate: of the order that others took."""
    last = history.newest[candidates.user]
    back = entries_at(tables.similarities["transition"], candidates.item, np.maximum(last, 0))
    return np.where(last >= 0, back, 0.0).astype(np.float32)


def _taste(candidates: Candidates, history: History, tables: Tables) -> Floats:
    """(c,), what factors say of the history without decay."""
    vectors = fold_in(history.whole, tables.factors, tables.gram)
    return affinity(vectors, tables.factors, candidates.user, candidates.item)


def _links(candidates: Candidates, history: History, tables: Tables) -> Iterator[Floats]:
    """Yield for each of `_LINKS` (c,) how many of the user's items have the candidate as a neighbour."""
    weights = history.weights
    ones = np.ones_like(weights.data)
    known = sparse.csr_array((ones, weights.indices, weights.indptr), shape=weights.shape)
    for name in _LINKS:
        yield Entries.of(known @ tables.neighbours[name]).at(candidates.codes)


def _category_affinity(
    candidates: Candidates, history: History, tables: Tables
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Share of the user's weighted history in the item's category, and whether the last item is of it."""
    category = tables.category
    by_category = Entries.of(history.weights @ tables.membership)
    total = np.asarray(history.weights.sum(axis=1)).ravel()
    code = category[candidates.item]
    mass = by_category.at(candidates.user * by_category.items + np.maximum(code, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(code >= 0, mass / total[candidates.user], np.nan)
    last = np.where(history.newest >= 0, category[np.maximum(history.newest, 0)], -1)[candidates.user]
    same = np.where((last >= 0) & (code >= 0), (last == code).astype(np.float64), np.nan)
    return share, same


def _typical_price(history: History, tables: Tables) -> npt.NDArray[np.float64]:
    """(b,), weighted mean price of the user's history; NaN where no price is known."""
    known = ~np.isnan(tables.price)
    total = history.weights @ np.where(known, tables.price, 0.0)
    weight = history.weights @ known.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        typical: npt.NDArray[np.float64] = np.where(total > 0, total / weight, np.nan)
    return typical


def _user_features(profiles: Sequence[Profile], history: History, at: Ints) -> npt.NDArray[np.float64]:
    """(b, 5): items in the history, days idle, tenure in days, purchases, impressions."""
    items = np.diff(history.weights.indptr)
    rows = [
        (
            count,
            (moment - profile.last_at) / _DAY if profile.last_at else np.nan,
            (profile.last_at - profile.first_at) / _DAY if profile.last_at else np.nan,
            profile.totals[CODES[EventType.PURCHASE]],
            profile.totals[CODES[EventType.IMPRESSION]],
        )
        for profile, count, moment in zip(profiles, items, at.tolist(), strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(profiles), 5)
