"""What little is known of a visitor, and how likely each behavioural segment then is.

Facts are what a first request tells: country, device, referrer. Every part of them makes a group
(`keys.segment_facts`), be it small: what each fact says by itself is known of many.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.keys import segment_facts
from personalization.profiles import Facts, segment_of
from training.metrics import Doubles, Ints

SUPPORT: Final = 50
"""Fewest users, with acts, whose acts make a list: fewer say more about themselves, and could be told."""
MAX_LISTS: Final = 400
"""Facts are the clients' to send; the most frequent get a list."""
PRIOR_USERS: Final = 20.0
"""Users' worth of everybody's distribution that is mixed into each group's: additive smoothing."""


@dataclass(frozen=True)
class Groups:
    """Users by what is known of them: a user is in a group for every part of it, but for the empty one.

    Attributes
    ----------
    facts
        What is known in each of *g* groups, at most `MAX_LISTS`, the largest first; each fact by itself has
        `SUPPORT`, and is a group, too.
    members
        (g, users), 1 where a user is in a group; groups without `SUPPORT` are left empty.
    """

    facts: tuple[Facts, ...]
    members: sparse.csr_array

    @classmethod
    def of(cls, facts: Sequence[Facts], counted: npt.NDArray[np.bool_]) -> "Groups":
        """Group users (u,), counting those of a mask (u,) towards the support. Cost linear in users."""
        sizes = _sizes(Counter(facts[user] for user in np.flatnonzero(counted).tolist()))
        # Of equal sizes the fewer facts come first, so that no group is kept without those of its parts.
        order = sorted(sizes, key=lambda part: (-sizes[part], -part.count(None), segment_of(part)))
        chosen = order[:MAX_LISTS]
        place = {part: number for number, part in enumerate(chosen) if sizes[part] >= SUPPORT}
        groups = {
            known: [place[part] for part in segment_facts(known) if part in place] for known in set(facts)
        }
        of_users = [groups[known] for known in facts]
        inside = np.array([group for own in of_users for group in own], dtype=np.int64)
        ends = np.cumsum([0, *map(len, of_users)])
        shape = (len(facts), len(chosen))
        members = sparse.csr_array((np.ones(len(inside)), inside, ends), shape=shape).T
        return cls(tuple(chosen), sparse.csr_array(members))


def lone_facts(facts: Facts) -> list[Facts]:
    """Return each known fact by itself.

    >>> lone_facts(Facts("DE", None, "search"))
    [Facts(country='DE', device=None, referrer=None), Facts(country=None, device=None, referrer='search')]
    """
    return [part for part in segment_facts(facts) if part.count(None) == len(facts) - 1]


def _sizes(users: Counter[Facts]) -> Counter[Facts]:
    """Count users by each part of what is known, passing over facts that too few share."""
    lone: Counter[tuple[str, str | None]] = Counter()
    for known, count in users.items():
        lone.update(dict.fromkeys(zip(Facts._fields, known, strict=True), count))
    sizes: Counter[Facts] = Counter()
    for known, count in users.items():
        named = zip(Facts._fields, known, strict=True)
        shared = Facts(*(fact if lone[name, fact] >= SUPPORT else None for name, fact in named))
        sizes.update(dict.fromkeys(segment_facts(shared)[:-1], count))
    return sizes


def segment_chances(groups: Groups, segment: Ints, segments: int) -> Doubles:
    """(groups, segments), how likely each segment is for a visitor of a group; rows sum to 1.

    Counts of users with a segment (u,), -1 for none, smoothed by `PRIOR_USERS` of everybody's.

    >>> facts, segment = [Facts("DE")] * 60 + [Facts()] * 60, np.array([0] * 60 + [1] * 60)
    >>> segment_chances(Groups.of(facts, segment >= 0), segment, 2).round(3).tolist()
    [[0.875, 0.125]]
    """
    member = np.flatnonzero(segment >= 0)
    shape = (len(segment), segments)
    labels = sparse.csr_array((np.ones(len(member)), (member, segment[member])), shape=shape)
    everybody = np.asarray(labels.sum(axis=0)) + 1 / segments
    counts = sparse.csr_array(groups.members @ labels).toarray()
    prior = PRIOR_USERS * everybody / everybody.sum()
    return np.asarray((counts + prior) / (counts.sum(axis=1, keepdims=True) + PRIOR_USERS))
