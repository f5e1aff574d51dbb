"""Re-ranking: a list that is relevant, varied and a little curious, made place by place from a user's best.

At each place every candidate left has a value: its relevance, what it adds in variety, and a bonus if it is
new. The greatest value takes the place, or chance does. What is drawn is drawn with known probability, so
that another policy can be judged by what this one showed.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from threadpoolctl import ThreadpoolController

from personalization.model_tables import Ints
from personalization.policies import Policy

Doubles = npt.NDArray[np.float64]

CATEGORY_WEIGHT: Final = 0.25
"""Weight of being of the same category in the similarity; content has the rest."""
RIDGE: Final = 0.01
"""Least eigenvalue of a similarity before it is scaled to a diagonal of 1."""
TEMPERATURE: Final = 0.5
"""Of the draws, in standard deviations of the scores."""


@dataclass(frozen=True)
class Pool:
    """A user's *m* best candidates, the most relevant first.

    Attributes
    ----------
    relevance
        (m,), standardized scores, see `standardized`.
    category
        (m,), codes, -1 for none.
    bonus
        (m,), positive for new items, else 0; in units of `relevance`.
    similarity
        (m, m), positive semi-definite with a diagonal of 1 (`similarity_of`); None where it is not needed.
    """

    relevance: Doubles
    category: Ints
    bonus: Doubles
    similarity: Doubles | None = None


@dataclass(frozen=True)
class Slate:
    """The first *k* places of a list.

    Attributes
    ----------
    order
        (k,), places in the pool.
    propensity
        (k,), with what probability each place got its item, given the items before it; 1 where nothing was
        left to chance. That of a whole beginning of the list is the product of its places', whatever is
        hidden from it later. By it sequential importance sampling divides (McInerney et al., 2020,
        "Counterfactual evaluation of slate recommendations with sequential reward interactions").
    """

    order: Ints
    propensity: Doubles


def standardized(scores: Doubles) -> Doubles:
    """(m,), scores in standard deviations from their mean (Montague and Aslam, 2001); 0 if all are equal.

    A ranker's scores have no scale of their own, and a user's candidates are compared with each other only.

    >>> standardized(np.array([3.0, 1.0])).tolist()
    [1.0, -1.0]
    """
    centred = scores - scores.mean() if len(scores) else scores
    spread = float(centred.std()) if len(scores) else 0.0
    return np.asarray(centred / spread if spread > 0 else np.zeros_like(centred))


def similarity_of(content: Doubles, category: Ints) -> Doubles:
    """Mix content and category into a similarity that is positive semi-definite with a diagonal of 1.

    Cosines of nearest neighbours only are not positive semi-definite as a matrix. Adding their most negative
    eigenvalue to the diagonal makes them so, and scaling it back to 1 shrinks all pairs alike: none changes
    its place. Cost O(m^3), a millisecond at m = 100.

    Parameters
    ----------
    content
        (m, m), symmetric, from 0 to 1; the diagonal is not looked at.
    """
    same = (category[:, None] == category) & (category >= 0)
    mixed = (1 - CATEGORY_WEIGHT) * content + CATEGORY_WEIGHT * same
    np.fill_diagonal(mixed, 1.0)
    least = _least_eigenvalue(mixed) if len(mixed) else 1.0
    lift = max(RIDGE - least, 0.0)
    mixed[np.diag_indices_from(mixed)] += lift
    return np.asarray(mixed / (1.0 + lift))


def _least_eigenvalue(symmetric: Doubles) -> float:
    """By one thread: two that wait for each other on busy processors took 20 ms instead of 0.5 at m = 100."""
    with _threads().limit(limits=1, user_api="blas"):
        (least,) = eigh(symmetric, eigvals_only=True, subset_by_index=[0, 0], check_finite=False)
    return float(least)


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def arrange(pool: Pool, policy: Policy, limit: int, seed: int = 0) -> Slate:
    """Fill at most `limit` places, the first ones the same whatever the limit. Cost O(k^2 m).

    Diversity is greedy MAP inference for a determinantal point process (Chen, Zhang and Zhou, 2018): with
    qualities exp(a r), a = (1 - diversity) / (2 diversity), the most probable set maximizes
    (1 - diversity) sum(r) + diversity log det(S), r being relevance and S similarity. A place goes to the
    item that adds most to it; equal ones are taken in order of relevance. Without a similarity, relevance
    alone counts.

    With exploration e, a place goes to that item with probability 1 - e, and with e to one drawn by
    Plackett-Luce, exp(value / `TEMPERATURE`) of each in that of all left. One uniform number a place, of
    `seed`.
    """
    size, count = len(pool.relevance), min(limit, len(pool.relevance))
    diversity = policy.diversity if pool.similarity is not None else 0.0
    volume = _Volume(pool.similarity, count) if pool.similarity is not None and diversity else None
    quotas = _Quotas(pool, policy)
    chance = np.random.default_rng(seed).random(count) if policy.exploration else None
    left = np.ones(size, dtype=np.bool_)
    order, propensity = np.zeros(count, dtype=np.int64), np.ones(count)
    for place in range(count):
        value = (1 - diversity) * pool.relevance + (diversity * volume.gains if volume else 0.0)
        value = np.where(quotas.within(left), value + quotas.bonus(), -np.inf)
        chosen = int(np.argmax(value))
        if chance is not None:
            chances = chances_of(value, policy.exploration)
            chosen = _drawn(chances, float(chance[place]))
            propensity[place] = chances[chosen]
        order[place], left[chosen] = chosen, False
        quotas.count(chosen)
        if volume:
            volume.add(chosen)
    return Slate(order, propensity)


def chances_of(value: Doubles, exploration: float) -> Doubles:
    """(m,), the probability of each item to get a place; values of -inf have none.

    >>> chances_of(np.array([1.0, 1.0, -np.inf]), 0.5).tolist()
    [0.75, 0.25, 0.0]
    """
    best = int(np.argmax(value))
    weight = np.exp((value - value[best]) / TEMPERATURE)
    chances = exploration * weight / weight.sum()
    chances[best] += 1 - exploration
    return np.asarray(chances)


def _drawn(chances: Doubles, uniform: float) -> int:
    ends = np.cumsum(chances)
    return int(np.searchsorted(ends, uniform * ends[-1], side="right"))


class _Volume:
    """The log-determinant of a growing set, by a Cholesky factor that grows with it.

    Attributes
    ----------
    gains
        (m,), what each item would add to it.
    """

    def __init__(self, similarity: Doubles, count: int) -> None:
        self._similarity = similarity
        self._factor = np.zeros((count, len(similarity)))
        self._squared = np.ones(len(similarity))
        self._size = 0
        self.gains = np.zeros(len(similarity))

    def add(self, item: int) -> None:
        """Take an item in. Cost O(size x m)."""
        known = self._factor[: self._size]
        row = (self._similarity[item] - known[:, item] @ known) / np.sqrt(self._squared[item])
        self._factor[self._size] = row
        self._size += 1
        self._squared = np.maximum(self._squared - row**2, np.finfo(np.float64).tiny)
        self.gains = np.log(self._squared)


class _Quotas:
    """What categories and new items may still take of the list's beginning."""

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._pool, self._policy = pool, policy
        self._taken: dict[int, int] = {}
        self._new = self._size = 0

    def within(self, left: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(m,), who may take the next place: all that are left if nobody's category may."""
        most = ceil(_part(self._policy.category_share, self._size + 1))
        full = [code for code, taken in self._taken.items() if taken >= most]
        free = left & ~np.isin(self._pool.category, full) if full else left
        return free if free.any() else left

    def bonus(self) -> Doubles | float:
        """(m,), the bonus of new items, while they have less than their share."""
        has_room = self._new + 1 <= _part(self._policy.new_items, self._size + 1)
        return self._pool.bonus if has_room else 0.0

    def count(self, item: int) -> None:
        """Note who took a place."""
        self._size += 1
        self._new += bool(self._pool.bonus[item] > 0)
        code = int(self._pool.category[item])
        if code >= 0:
            self._taken[code] = self._taken.get(code, 0) + 1


def _part(share: float, places: int) -> float:
    """A tenth of thirty is three, not a little more."""
    return round(share * places, 9)
