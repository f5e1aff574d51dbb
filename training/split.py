"""Leave-last-out: which new item each user came to last, and what was known before.

Two labels a user: the newest new item is the *test* label, the one before it the *train* label. What a stage
may know of a user is what arrived strictly before that stage's label: [.., cut). Acts that arrived in the
same second as a label are known to neither. The last stage, *serve*, knows everything.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from training.acts import Acts, Ints

NEVER = np.iinfo(np.int64).max


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
    item
        (users,), the item to be found; -1 for users without.
    cut
        (users,), seconds: only what arrived before is known. `NEVER` for users without a label.
    """

    item: Ints
    cut: Ints

    @property
    def users(self) -> Ints:
        """Users that have a label."""
        return np.flatnonzero(self.item >= 0)


def leave_last_out(acts: Acts, users: int) -> dict[Stage, Labels]:
    """Split a log's acts into stages. A user needs an item before the label, or gets none.

    Users without a test label are known whole to every stage; a user whose train label is missing is
    known to the train stage up to their test label, so that no stage ever knows its own labels.
    """
    sequence = acts.first_of_each_item()
    ends = np.cumsum(np.bincount(sequence.user, minlength=users))
    starts = np.concatenate(([0], ends[:-1]))
    test = _label(sequence, starts, ends - 1)
    train = _label(sequence, starts, ends - 2)
    missing = train.item < 0
    cut = np.where(missing, test.cut, np.minimum(train.cut, test.cut))
    nothing = np.full(users, -1, dtype=np.int64)
    return {
        Stage.TRAIN: Labels(train.item, cut),
        Stage.TEST: test,
        Stage.SERVE: Labels(nothing, np.full(users, NEVER)),
    }


def _label(sequence: Acts, starts: Ints, places: Ints) -> Labels:
    """Take the act at each user's place as label, if an act that arrived earlier comes before it."""
    item = np.full(len(starts), -1, dtype=np.int64)
    cut = np.full(len(starts), NEVER)
    has = places > starts
    place = places[has]
    item[has] = sequence.item[place]
    cut[has] = sequence.at[place]
    alone = has.copy()
    alone[has] = sequence.at[starts[has]] >= sequence.at[place]
    item[alone], cut[alone] = -1, NEVER
    return Labels(item, cut)


def known_to(stage: Labels, acts: Acts) -> Acts:
    """Return the acts a stage may know."""
    return acts.where(acts.at < stage.cut[acts.user])
