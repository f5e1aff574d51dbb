"""Lists that many users share: popular, trending, and what visitors of whom the same is known come to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import numpy as np
from scipy import sparse

from personalization.keys import POPULAR, TRENDING
from personalization.lists import STORED_ITEMS, ListItem
from personalization.model_tables import POPULARITY_DAYS, Tables
from personalization.profiles import NO_FACTS, Facts, Profile, at_seconds, segment_of
from training.acts import Acts
from training.anonymity import FEWEST_USERS, told, users_behind
from training.behaviour import observe
from training.facts import SUPPORT, Groups, lone_facts, segment_chances
from training.metrics import Doubles, Ints
from training.segments import Segmentation, segment_users

EVERYBODY: Final = segment_of(NO_FACTS)
"""The list for visitors of whom nothing is known, or nothing with enough support."""
COUNTRY: Final = "country="
"""Lists of names that begin so are of a country."""
RECENT_DAYS: Final = 90
_TREND_SECONDS: Final = POPULARITY_DAYS[1] * 86_400
PRIOR_ITEMS: Final = 3_000.0
"""Items' worth of the wider list that is mixed into each: a group needs as many to count as much as it."""


def shared_lists(
    tables: Tables,
    acts: Acts,
    profiles: Sequence[Profile],
    now: datetime,
    fewest: int = FEWEST_USERS,
) -> Iterator[tuple[str, tuple[ListItem, ...]]]:
    """Yield (name, items best first) of every shared list. `profiles` are those of `acts.user`.

    What fewer than `fewest` users came to has no place of its own and no score in what all are shown: in the
    trend it follows as in what is popular, and there by its id.
    """
    popularity = tables.popularity[:, -1].astype(np.float64)
    behind = users_behind(acts, len(tables.items), since=-1)
    by_id = np.argsort([item.item_id for item in tables.items], kind="stable")
    popular, known = told(tables.popular, behind, by_id, fewest)
    yield POPULAR, _list(tables, popular, popularity, "popular", scored=known)
    week = tables.popularity[:, 1].astype(np.float64)
    behind = users_behind(acts, len(tables.items), since=tables.at - _TREND_SECONDS)
    trending, known = told(tables.trending, behind, popular, fewest)
    yield TRENDING, _list(tables, trending, week, "trending", scored=known)
    segmentation = segment_users(observe(profiles, tables.items, at_seconds(now)))
    for name, scores in group_scores(acts, segmentation, popularity, at_seconds(now)):
        reason = "popular_near_you" if name.startswith(COUNTRY) else "popular"
        yield name, _list(tables, np.argsort(-scores, kind="stable"), scores, reason)


def group_scores(
    acts: Acts, segmentation: Segmentation, popularity: Doubles, at: int, *, personas: bool = True
) -> Iterator[tuple[str, Doubles]]:
    """Yield (name, item scores (items,)) of what is known of visitors, and of `EVERYBODY`; scores sum to 1.

    A score is the share of an item in what users came to within `RECENT_DAYS` before `at` (seconds since
    1970), each item once a user. Every share is smoothed by a wider one (Dirichlet smoothing, Zhai and
    Lafferty, 2004): a group's of several facts by what each of them says alone, taken together as naive Bayes
    does; a group's of one fact by the behavioural segments' in the proportions of the group
    (`segment_chances`), a segment's by everybody's, and everybody's by popularity. Without `personas`,
    everybody's share stands for the segments'.

    Cost O(acts + groups x items x segments); memory one entry an act and group of its user, and as many rows
    of items as there are segments. Of a group of fewer than `SUPPORT` users nothing is counted, and of
    fewer users in all nothing is yielded.
    """
    active = segmentation.segment >= 0
    if active.sum() < SUPPORT:
        return
    recent = acts.where(acts.at > at - RECENT_DAYS * 86_400).first_of_each_item()
    counts = recent.matrix(len(active), len(popularity))
    everybody = _everybody(counts, popularity)
    by_segment = _by_segment(counts, segmentation, everybody) if personas else everybody[None, :]
    segment = segmentation.segment if personas else np.minimum(segmentation.segment, 0)
    groups = Groups.of(segmentation.facts, active)
    chances = segment_chances(groups, segment, len(by_segment))
    place = {facts: number for number, facts in enumerate(groups.facts)}
    shares = _Shares(everybody, by_segment, chances, sparse.csr_array(groups.members @ counts), place)
    yield EVERYBODY, everybody
    for facts in groups.facts:
        yield segment_of(facts), shares.of(facts)


@dataclass(frozen=True)
class _Shares:
    """What the share of a group is made of.

    Attributes
    ----------
    everybody, by_segment
        (items,) and (segments, items), shares.
    chances, counts
        (groups, segments) and (groups, items).
    """

    everybody: Doubles
    by_segment: Doubles
    chances: Doubles
    counts: sparse.csr_array
    place: Mapping[Facts, int]

    def of(self, facts: Facts) -> Doubles:
        """(items,), the share of each item in what those of whom this is known came to."""
        number = self.place[facts]
        alone = lone_facts(facts)
        prior = self.chances[number] @ self.by_segment if alone == [facts] else self._together(alone)
        return _smoothed(self.counts[[number]].toarray()[0], prior)

    def _together(self, alone: Sequence[Facts]) -> Doubles:
        """Combine single facts as if they didn't depend on each other, given an item."""
        scores = self.everybody.copy()
        for fact in alone:
            scores *= np.divide(
                self.of(fact), self.everybody, where=self.everybody > 0, out=np.ones_like(scores)
            )
        together: Doubles = scores / scores.sum()
        return together


def _everybody(counts: sparse.csr_array, popularity: Doubles) -> Doubles:
    total = popularity.sum()
    known = popularity / total if total > 0 else np.full(len(popularity), 1 / max(len(popularity), 1))
    return _smoothed(np.asarray(counts.sum(axis=0), dtype=np.float64).ravel(), known)


def _by_segment(counts: sparse.csr_array, segmentation: Segmentation, everybody: Doubles) -> Doubles:
    """(segments, items), the shares of each segment's users."""
    users = np.flatnonzero(segmentation.segment >= 0)
    shape = (len(segmentation.summary.segments), counts.shape[0])
    member = sparse.csr_array((np.ones(len(users)), (segmentation.segment[users], users)), shape=shape)
    own = sparse.csr_array(member @ counts).toarray()
    return np.array([_smoothed(row, everybody) for row in own])


def _smoothed(counts: Doubles, prior: Doubles) -> Doubles:
    smoothed: Doubles = (counts + PRIOR_ITEMS * prior) / (counts.sum() + PRIOR_ITEMS)
    return smoothed


def _list(
    tables: Tables, order: Ints, scores: Doubles, reason: str, *, scored: int | None = None
) -> tuple[ListItem, ...]:
    """List the best items that can be had; from place `scored` on without a score."""
    own = len(order) if scored is None else scored
    ranked = ((place, row) for place, row in enumerate(order) if tables.available[row])
    best = list(islice(ranked, STORED_ITEMS))
    items = ((tables.items[row], float(scores[row]) if place < own else 0.0) for place, row in best)
    return tuple(
        ListItem(item.item_id, round(score, 6), reason, item.title, item.category, item.price)
        for item, score in items
    )
