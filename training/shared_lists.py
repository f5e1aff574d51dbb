"""Lists that many users share: popular, trending, and what a segment of users likes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.keys import POPULAR, TRENDING
from personalization.lists import STORED_ITEMS, ListItem
from personalization.model_tables import Tables
from personalization.profiles import Profile, at_seconds, segment_of
from training.acts import Acts

MIN_SEGMENT_USERS: Final = 20
"""Below this a segment says more about its few users than about itself."""
SEGMENT_DAYS: Final = 90
PRIOR_WEIGHT: Final = 0.2
"""Share of overall popularity mixed into a segment's own, so that small segments fill a list sensibly."""


def shared_lists(
    tables: Tables, acts: Acts, profiles: Sequence[Profile], now: datetime
) -> Iterator[tuple[str, tuple[ListItem, ...]]]:
    """Yield (name, items best first) of every shared list. `profiles` are those of `acts.user`."""
    popularity = tables.popularity[:, -1].astype(np.float64)
    yield POPULAR, _list(tables, tables.popular, popularity, "popular")
    yield TRENDING, _list(tables, tables.trending, tables.popularity[:, 1].astype(np.float64), "trending")
    for segment, scores in segment_scores(acts, profiles, popularity, now):
        order = np.argsort(-scores, kind="stable")
        yield segment, _list(tables, order, scores, "popular_near_you")


def segment_scores(
    acts: Acts, profiles: Sequence[Profile], popularity: npt.NDArray[np.float64], now: datetime
) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Yield (segment, item scores (items,)) of segments with enough users; scores sum to 1."""
    names = [segment_of(profile.attribute("country"), profile.attribute("device")) for profile in profiles]
    sizes = Counter(names)
    segments = sorted(name for name, size in sizes.items() if size >= MIN_SEGMENT_USERS)
    codes = {name: code for code, name in enumerate(segments)}
    recent = acts.where(acts.at > at_seconds(now) - SEGMENT_DAYS * 86_400)
    code = np.array([codes.get(name, -1) for name in names], dtype=np.int64)[recent.user]
    known = code >= 0
    counts = sparse.csr_array(
        (recent.weight[known], (code[known], recent.item[known])), shape=(len(segments), len(popularity))
    )
    prior = popularity / max(popularity.sum(), 1.0)
    for place, segment in enumerate(segments):
        own = counts[[place]].toarray()[0]
        total = own.sum()
        share = own / total if total else prior
        yield segment, (1 - PRIOR_WEIGHT) * share + PRIOR_WEIGHT * prior


def _list(
    tables: Tables, order: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], reason: str
) -> tuple[ListItem, ...]:
    best = [row for row in order[: 2 * STORED_ITEMS] if tables.available[row]][:STORED_ITEMS]
    items = ((tables.items[row], float(scores[row])) for row in best)
    return tuple(
        ListItem(item.item_id, round(score, 6), reason, item.title, item.category, item.price)
        for item, score in items
    )
