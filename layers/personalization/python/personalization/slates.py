"""A policy at work on one user's ranked candidates: who may appear, who is new, who was shown in vain."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.candidates import SOURCES, Candidates
from personalization.exposure import times_ignored
from personalization.model_tables import Ints, Tables
from personalization.policies import Policy
from personalization.profiles import Profile
from personalization.reranking import Doubles, Pool, Slate, arrange, similarity_of, standardized

POOL: Final = 100
"""A user's best candidates that compete for places; those after them follow in order of relevance."""
NEW_IN_POOL: Final = 10
"""The best new items that join the pool although they are not among its best."""
NEW_DAYS: Final = 14
FEW_ACTS: Final = 10
"""A new item is younger, and was acted on less (weighted, see `Tables.popularity`)."""
NEW_BONUS: Final = 2.0
"""Of an item that came just now and that nobody has seen, in standard deviations of relevance."""
_CONTENT: Final = SOURCES.index("content")
_DAY: Final = 86_400


@dataclass(frozen=True)
class Shelf:
    """One user's candidates as a policy sees them.

    Attributes
    ----------
    rows
        (c,), rows of the candidates: the pool in order of relevance, then the others, then what was shown in
        vain too often, both in order of relevance.
    pool
        The first of them.
    """

    rows: Ints
    pool: Pool

    def slate(self, policy: Policy, limit: int, seed: int = 0) -> Slate:
        """Take at most `limit` rows of the candidates; the first are the same whatever the limit."""
        made = arrange(self.pool, policy, limit, seed)
        order = np.concatenate((made.order, np.arange(len(self.pool.relevance), len(self.rows))))[:limit]
        propensity = np.concatenate((made.propensity, np.ones(len(order) - len(made.order))))
        return Slate(self.rows[order], propensity)


@dataclass(frozen=True)
class Reranker:
    """A policy over a catalogue.

    Attributes
    ----------
    at
        Now, in seconds since 1970.
    """

    tables: Tables
    policy: Policy
    at: int

    def admitted(self, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """(n,), whether an item of the candidates may appear: it can be had, and its category is allowed."""
        only, without = frozenset(self.policy.only_categories), frozenset(self.policy.without_categories)
        allowed = self.tables.available
        if only or without:
            items = np.unique(candidates.item)
            codes, first = np.unique(self.tables.category[items], return_index=True)
            names = [self._category(row) for row in items[first].tolist()]
            banned = [(bool(only) and name not in only) or name in without for name in names]
            allowed = allowed.copy()
            allowed[items[np.isin(self.tables.category[items], codes[banned])]] = False
        return allowed

    def _category(self, row: int) -> str:
        item = self.tables.items[row]
        return item.category or (item.tags[0] if item.tags else "")

    def shelf(self, candidates: Candidates, scores: Doubles, best: Ints, profile: Profile) -> Shelf:
        """Sort a user's candidates; `best` (c,) are their rows, the most relevant first.

        Cost: c log c, and for diversity O(`POOL`^3).
        """
        items = candidates.item[best]
        category = self.tables.category[items]
        ignored = self._ignored(items, profile)
        bonus = self._bonus(candidates, best, ignored) if self.policy.new_items else np.zeros(len(best))
        sunk = (ignored >= self.policy.frequency_cap) & (self.policy.frequency_cap > 0)
        waiting = np.flatnonzero(~sunk)
        inside = _pool(waiting, category, bonus, self.policy.category_share)
        pool = Pool(
            relevance=standardized(scores[best[inside]]),
            category=category[inside],
            bonus=bonus[inside],
            similarity=self._similarity(items[inside]) if self.policy.diversity else None,
        )
        others = np.setdiff1d(waiting, inside)
        return Shelf(best[np.concatenate((inside, others, np.flatnonzero(sunk)))], pool)

    def _similarity(self, items: Ints) -> Doubles:
        return similarity_of(dense(self.tables.similarities["content"], items), self.tables.category[items])

    def _ignored(self, items: Ints, profile: Profile) -> Ints:
        """(c,), how often the user was shown each item in vain."""
        counts = {
            row: count
            for hashed, count in times_ignored(profile, self.at).items()
            for row in self.tables.rows_by_hash.get(hashed, ())
        }
        return np.array([counts.get(row, 0) for row in items.tolist()], dtype=np.int64)

    def _bonus(self, candidates: Candidates, best: Ints, ignored: Ints) -> Doubles:
        """(c,), positive for new items that are like what the user knows: fades with age and exposure."""
        items = candidates.item[best]
        first_seen = self.tables.first_seen[items]
        age = np.maximum(self.at - first_seen, 0) / _DAY
        acts = self.tables.popularity[items, -1].astype(np.float64)
        alike = candidates.score[best, _CONTENT] > 0
        new = (first_seen > 0) & (age < NEW_DAYS) & (acts < FEW_ACTS) & alike
        return np.where(new, NEW_BONUS * (1 - age / NEW_DAYS) / (1 + acts + ignored), 0.0)


def _pool(waiting: Ints, category: Ints, bonus: Doubles, share: float) -> Ints:
    """Places of who competes, ascending: the best, of a category its share if others last, and new ones."""
    code = category[waiting]
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], code[order])
    nth = np.empty_like(order)
    nth[order] = np.arange(len(order)) - starts
    surplus = (code >= 0) & (nth >= share * POOL)
    first = waiting[np.argsort(surplus, kind="stable")]
    new = first[POOL:][bonus[first[POOL:]] > 0]
    return np.sort(np.concatenate((first[:POOL], new[:NEW_IN_POOL])))


def dense(matrix: sparse.csr_array, items: Ints) -> Doubles:
    """(m, m), the greater of the entries (i, j) and (j, i) of rows and columns `items`; absent ones are 0.

    Cost O(entries of the m rows), whatever the size of the matrix.
    """
    near = matrix[items]
    row = np.repeat(np.arange(len(items)), np.diff(near.indptr))
    order = np.argsort(items)
    place = np.minimum(np.searchsorted(items[order], near.indices), len(items) - 1)
    column = order[place] if len(items) else place
    inside = items[column] == near.indices
    found = np.zeros((len(items), len(items)))
    found[row[inside], column[inside]] = near.data[inside]
    return np.maximum(found, found.T)
