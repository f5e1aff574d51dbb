"""What little is known of a visitor, and how likely each behavioural segment then is.

Facts are country and device: what a first request tells. They back off: country and device together, then the
country, then the device, then nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.keys import segment_names
from training.behaviour import Doubles, Facts
from training.clustering import Ints

SUPPORT: Final = 50
"""Fewest users, with acts, of whom the same is known: fewer say more about themselves, and could be told."""
MAX_LISTS: Final = 400
"""Facts are the clients' to send; the most frequent get a list."""
PRIOR_USERS: Final = 20.0
"""Users' worth of the coarser distribution that is mixed into each: additive smoothing."""


@dataclass(frozen=True)
class Groups:
    """Users by what is known of them; a user of known country and device is in three groups.

    Attributes
    ----------
    names
        Names of the groups with `SUPPORT`, sorted; at most `MAX_LISTS`.
    place
        (users, 3), place in `names` of each user's groups, the closest first; -1 for none.
    """

    names: tuple[str, ...]
    place: Ints

    @classmethod
    def of(cls, facts: Sequence[Facts], counted: npt.NDArray[np.bool_]) -> "Groups":
        """Group users (u,), counting those of a mask (u,) towards the support. Cost linear in users."""
        rungs = {known: segment_names(*known)[:-1] for known in dict.fromkeys(facts)}
        sizes: Counter[str] = Counter()
        for known, count in Counter(facts[user] for user in np.flatnonzero(counted).tolist()).items():
            sizes.update(dict.fromkeys(rungs[known], count))
        enough = [name for name, size in sizes.items() if size >= SUPPORT]
        names = sorted(sorted(enough, key=lambda name: (-sizes[name], name))[:MAX_LISTS])
        code = {name: place for place, name in enumerate(names)}
        places = {known: _places(known, code) for known in rungs}
        table = np.array([places[known] for known in facts], dtype=np.int64).reshape(len(facts), 3)
        return cls(tuple(names), table)

    @property
    def members(self) -> sparse.csr_array:
        """(groups, users), 1 where a user is in a group."""
        user, rung = np.nonzero(self.place >= 0)
        shape = (len(self.names), len(self.place))
        return sparse.csr_array((np.ones(len(user)), (self.place[user, rung], user)), shape=shape)


def _places(known: Facts, code: Mapping[str, int]) -> list[int]:
    country, device = known
    pair = segment_names(country, device)[:1] if country and device else []
    lone = [segment_names(country, None)[:-1], segment_names(None, device)[:-1]]
    return [code.get(names[0], -1) if names else -1 for names in (pair, *lone)]


def segment_chances(groups: Groups, segment: Ints, segments: int) -> Doubles:
    """(groups, segments), how likely each segment is for a visitor of a group; rows sum to 1.

    Counts of users with a segment (u,), -1 for none, smoothed by `PRIOR_USERS` of what is coarser: for
    country and device that is the country, or the device where the country has no support; for one fact,
    everybody.

    >>> groups = Groups(("country=DE,device=any",), np.array([[-1, 0, -1]] * 60 + [[-1, -1, -1]] * 60))
    >>> segment_chances(groups, np.array([0] * 60 + [1] * 60), 2).round(3).tolist()
    [[0.875, 0.125]]
    """
    known = segment >= 0
    counts = np.zeros((len(groups.names), segments))
    for rung in range(groups.place.shape[1]):
        inside = known & (groups.place[:, rung] >= 0)
        np.add.at(counts, (groups.place[inside, rung], segment[inside]), 1.0)
    everybody = np.bincount(segment[known], minlength=segments) + 1 / segments
    prior = np.tile(everybody / everybody.sum(), (len(groups.names), 1))
    lone = _smoothed(counts, prior)
    coarser = backing(groups)
    prior = np.where((coarser >= 0)[:, None], lone[coarser], prior)
    return _smoothed(counts, prior)


def _smoothed(counts: Doubles, prior: Doubles) -> Doubles:
    total = counts.sum(axis=1, keepdims=True)
    smoothed: Doubles = (counts + PRIOR_USERS * prior) / (total + PRIOR_USERS)
    return smoothed


def backing(groups: Groups) -> Ints:
    """Return (groups,) the place of the group that each backs off to; -1 for everybody."""
    coarser = np.full(len(groups.names), -1, dtype=np.int64)
    pairs, first = np.unique(groups.place[:, 0], return_index=True)
    for pair, user in zip(pairs.tolist(), first.tolist(), strict=True):
        if pair >= 0:
            lone = groups.place[user, 1:]
            coarser[pair] = lone[0] if lone[0] >= 0 else lone[1]
    return coarser
