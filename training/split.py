"""Which new items each stage has to find, and what was known before: by time, or leave-last-out.

*By time*, all users share two cuts at midnight (UTC): the *test* labels are the new items of the newest days,
the *train* labels those of as many days before. This is what a night's lists are asked for, but it needs
enough users who act within few days.

*Leave-last-out* asks every user: the newest new item is the test label; the new items just before it are the
train labels: a fifth of them, at least one and at most `MAX_LABELS`, so that a long history teaches more than
one item.

What a stage may know of a user is what arrived strictly before the cut: [.., cut), leave-last-out the
stage's first label. The last stage, *serve*, knows everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from training.acts import Acts, Ints

NEVER: Final = int(np.iinfo(np.int64).max)
MAX_LABELS: Final = 10
_SHARE: Final = 5
_DAY: Final = 86_400
WINDOW_DAYS: Final = (1, 2, 4, 7, 14)
"""Days of labels that are tried, the fewest first: the nearer the cut, the more like the night to come."""
ENOUGH_USERS: Final = 2_000
"""Labelled users that make a window wide enough."""
VALIDATION_PERCENT: Final = 15


class Split(StrEnum):
    """How labels are chosen."""

    TIME = "time"
    LAST = "last"
    AUTO = "auto"
    """By time where some window has enough users, else leave-last-out."""


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


class NoLabelsError(ValueError):
    """A split by time was asked for, and too few users act within days."""


def split(acts: Acts, users: int, how: Split) -> tuple[Split, dict[Stage, Labels]]:
    """Split a log's acts of so many users into stages; return what `Split.AUTO` became, and the labels.

    Raises
    ------
    NoLabelsError
        It has to be by time, and no window has a labelled user for train and test.
    """
    if how is Split.LAST:
        return how, leave_last_out(acts, users)
    fewest = ENOUGH_USERS if how is Split.AUTO else 1
    for days in WINDOW_DAYS:
        found = by_time(acts, users, days=days)
        if min(len(found[stage].users) for stage in (Stage.TRAIN, Stage.TEST)) >= fewest:
            return Split.TIME, found
    if how is Split.TIME:
        raise NoLabelsError(
            f"no users came to something new in the last {WINDOW_DAYS[-1]} days and in those before; "
            "split leave-last-out instead"
        )
    return Split.LAST, leave_last_out(acts, users)


def by_time(acts: Acts, users: int, *, days: int) -> dict[Stage, Labels]:
    """Label what users newly came to in the last `days` days, today's included, and in those before.

    Of a user, the first such item is the test label, and the first `MAX_LABELS` are train labels; who has no
    earlier act has none.
    """
    span = days * _DAY
    end = (int(acts.at.max(initial=0)) // _DAY + 1) * _DAY
    nothing = np.full((users, 1), -1, dtype=np.int64)
    sequence = acts.first_of_each_item()
    return {
        Stage.TRAIN: _within(sequence, users, end - 2 * span, end - span, most=MAX_LABELS),
        Stage.TEST: _within(sequence, users, end - span, end, most=1),
        Stage.SERVE: Labels(nothing, np.full(users, NEVER)),
    }


def _within(sequence: Acts, users: int, cut: int, end: int, *, most: int) -> Labels:
    """Take what arrived in [cut, end) from users who came before."""
    came_before = np.zeros(users, dtype=np.bool_)
    came_before[sequence.user[sequence.at < cut]] = True
    new = sequence.where((sequence.at >= cut) & (sequence.at < end) & came_before[sequence.user])
    place = np.arange(len(new)) - np.searchsorted(new.user, new.user)
    items = np.full((users, most), -1, dtype=np.int64)
    kept = place < most
    items[new.user[kept], place[kept]] = new.item[kept]
    return Labels(items, np.full(users, cut, dtype=np.int64))


def stops_training(users: Sequence[str], labelled: Ints) -> npt.NDArray[np.bool_]:
    """Return (m,) which labelled users of the test stage tell training when to stop; the others evaluate.

    A share of `VALIDATION_PERCENT`, by a hash of the key: the same users every night.
    """
    numbers = [crc32(b"validation" + users[user].encode()) % 100 for user in labelled.tolist()]
    return np.array(numbers, dtype=np.int64) < VALIDATION_PERCENT


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
