"""Leave-last-out: which new items each user came to last, and what was known before.

A user's newest new item is the *test* label; the new items just before it are the *train* labels: a fifth of
them, at least one and at most `MAX_LABELS`, so that a long history teaches more than one item. What a stage
may know of a user is what arrived strictly before the stage's first label: [.., cut). Acts that arrived in
the same second as that label are not known. The last stage, *serve*, knows everything.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from training.acts import Acts, Ints

NEVER: Final = int(np.iinfo(np.int64).max)
MAX_LABELS: Final = 10
_SHARE: Final = 5


class Stage(StrEnum):
    """What the tables and profiles of a stage may know."""

    TRAIN = "train"
    TEST = "test"
    SERVE = "serve"


@dataclass(frozen=True)
class Labels:
    """One stage's labels, by user.

    Attributes
    ----------
    items
        (users, most labels), the items to be found; -1 for none.
    cut
        (users,), seconds: only what arrived before is known. `NEVER` for users whom the stage knows whole.
    """

    items: Ints
    cut: Ints

    @property
    def users(self) -> Ints:
        """Users that have a label."""
        return np.flatnonzero(self.items[:, 0] >= 0)

    @property
    def item(self) -> Ints:
        """(users,), each user's first label; the test stage has no other."""
        return self.items[:, 0]

    def among(self, users: Ints, items: Ints) -> npt.NDArray[np.bool_]:
        """Return (m,) whether items (m,) are labels of users (m,)."""
        found: npt.NDArray[np.bool_] = (self.items[users] == items[:, None]).any(axis=1)
        return found


def leave_last_out(acts: Acts, users: int) -> dict[Stage, Labels]:
    """Split a log's acts into stages. A user needs an item that arrived before a label, or gets none.

    Users without a test label are known whole to every stage; a user whose train label is missing is
    known to the train stage up to their test label, so that no stage ever knows its own labels.
    """
    sequence = acts.first_of_each_item()
    ends = np.cumsum(np.bincount(sequence.user, minlength=users))
    starts = np.concatenate(([0], ends[:-1]))
    test = _labels(sequence, starts, ends - 1, ends)
    earlier = np.maximum(ends - 1 - starts, 0)
    count = np.clip(earlier // _SHARE, 1, MAX_LABELS)
    train = _labels(sequence, starts, ends - 1 - count, ends - 1)
    nothing = np.full((users, 1), -1, dtype=np.int64)
    return {
        Stage.TRAIN: Labels(train.items, np.minimum(train.cut, test.cut)),
        Stage.TEST: test,
        Stage.SERVE: Labels(nothing, np.full(users, NEVER)),
    }


def _labels(sequence: Acts, starts: Ints, first: Ints, end: Ints) -> Labels:
    """Take each user's places [first, end) as labels, if an act that arrived earlier comes before them."""
    width = int(np.max(end - first, initial=1))
    items = np.full((len(starts), width), -1, dtype=np.int64)
    cut = np.full(len(starts), NEVER)
    users = np.flatnonzero(first > starts)
    users = users[sequence.at[starts[users]] < sequence.at[first[users]]]
    places = first[users, None] + np.arange(width)
    inside = places < end[users, None]
    items[users] = np.where(inside, sequence.item[np.minimum(places, len(sequence) - 1)], -1)
    cut[users] = sequence.at[first[users]]
    return Labels(items, cut)


def known_to(stage: Labels, acts: Acts) -> Acts:
    """Return the acts a stage may know."""
    return acts.where(acts.at < stage.cut[acts.user])
