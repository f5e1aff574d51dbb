"""Impressions: what was shown to whom and at which place, as columns, and whether it was acted on.

A slate arrives before the act that it leads to. What became of an impression is known, and the impression
counts, only when `ATTRIBUTION_SECONDS` have passed: then its outcome lies before the cut as well, and the
slate of a label's own visit is known to nobody who has to find the label.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ATTRIBUTION_SECONDS: Final = 3_600
"""An act this soon after an impression, [at, at + so many), is its outcome: twice the half hour of idleness
that ends a visit in web analytics."""


def first_of_equal(*columns: npt.NDArray[Any]) -> Ints:
    """Return the places of rows that equal no earlier row, ascending."""
    order = np.lexsort(columns)
    repeats = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for column in columns:
        repeats &= column[order[1:]] == column[order[:-1]]
    first = np.ones(len(order), dtype=np.bool_)
    # The sort is stable: the first of a run of equal rows is the first of them in the log.
    first[order[1:][repeats]] = False
    return np.flatnonzero(first)


@dataclass(frozen=True)
class Impressions:
    """*m* items shown, ordered by user, arrival, place in the log and position; 18 bytes each.

    Attributes
    ----------
    user, item
        (m,) int32, indexes into `ActLog.users` and `ActLog.items`.
    at
        (m,) int64, arrival in seconds since 1970.
    position
        (m,) uint8, place in the slate from 0.
    clicked
        (m,), whether the user acted on the item within `ATTRIBUTION_SECONDS`, and saw it last here.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    at: Ints
    position: npt.NDArray[np.uint8]
    clicked: Mask

    @classmethod
    def none(cls) -> "Impressions":
        """Nothing was shown."""
        return Slates().ordered(np.zeros(0, np.int64), {})

    def __len__(self) -> int:
        return len(self.user)

    def where(self, mask: Mask) -> "Impressions":
        """Return the impressions a mask (m,) selects."""
        return Impressions(
            self.user[mask], self.item[mask], self.at[mask], self.position[mask], self.clicked[mask]
        )

    def mature_before(self, cut: Ints) -> "Impressions":
        """Return those whose outcome is known strictly before a cut of each user (users,)."""
        return self.where(self.at < cut[self.user] - ATTRIBUTION_SECONDS)

    def of_persons(self, person: Ints) -> "Impressions":
        """Return them with a user's new number at the place of the old one, several users being one.

        Slates of one second stay in the order of the old numbers.
        """
        user = person[self.user].astype(np.int32)
        order = np.lexsort((self.at, user))
        return Impressions(
            user[order], self.item[order], self.at[order], self.position[order], self.clicked[order]
        )

    def answered_by(self, user: Ints, item: Ints, at: Ints) -> "Impressions":
        """Credit acts (a,) to the latest impression of their item to their user, if it is recent.

        Cost: O((m + a) log m).
        """
        if not len(self):
            return self
        size = max(int(self.item.max()), int(item.max(initial=0))) + 1
        pairs, pair = np.unique(self.user.astype(np.int64) * size + self.item, return_inverse=True)
        # Pair numbers and times fit 64 bits together; of equal ones the last in order is credited.
        key = (pair << 32) + self.at
        order = np.argsort(key, kind="stable")
        wanted = user * size + item
        own = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        latest = np.searchsorted(key[order], (own << 32) + at, side="right") - 1
        row = order[np.maximum(latest, 0)]
        credited = (pairs[pair[row]] == wanted) & (at >= self.at[row])
        credited &= at - self.at[row] < ATTRIBUTION_SECONDS
        clicked = np.zeros(len(self), dtype=np.bool_)
        clicked[row[credited]] = True
        return replace(self, clicked=clicked)


@dataclass(frozen=True)
class Slates:
    """Slates as they are read, 24 bytes each and 4 an item; users by the reader's number.

    Attributes
    ----------
    names
        Item id -> its number, in the order of first mention.
    digest
        CRC-32 of a slate's numbers: of one user and second, equal slates are one.
    end
        Where a slate's numbers end in `item`.
    """

    names: dict[str, int] = field(default_factory=dict)

    user: "array[int]" = field(default_factory=lambda: array("i"))
    at: "array[int]" = field(default_factory=lambda: array("q"))
    digest: "array[int]" = field(default_factory=lambda: array("I"))
    end: "array[int]" = field(default_factory=lambda: array("q"))
    item: "array[int]" = field(default_factory=lambda: array("i"))

    def append(self, user: int, at: int, item_ids: Sequence[str]) -> None:
        """Take in a slate."""
        shown = array("i", [self.names.setdefault(item_id, len(self.names)) for item_id in item_ids])
        self.item.extend(shown)
        self.user.append(user)
        self.at.append(at)
        self.digest.append(crc32(shown.tobytes()))
        self.end.append(len(self.item))

    def renumbered(self, users: Ints) -> "Slates":
        """Return the same slates, a user's new number at the place of the old one."""
        return replace(self, user=array("i", users[np.asarray(self.user, dtype=np.int64)].tolist()))

    def since(self, first: Ints) -> "Slates":
        """Return the slates from each user's first that counts on; `first` (users,) is its place."""
        kept = np.arange(len(self.user)) >= first[np.asarray(self.user, dtype=np.int64)]
        length = np.diff(np.asarray(self.end), prepend=0)
        return replace(
            self,
            user=array("i", np.asarray(self.user)[kept].tolist()),
            at=array("q", np.asarray(self.at)[kept].tolist()),
            digest=array("I", np.asarray(self.digest)[kept].tolist()),
            end=array("q", np.cumsum(length[kept]).tolist()),
            item=array("i", np.asarray(self.item)[np.repeat(kept, length)].tolist()),
        )

    def ordered(self, users: Ints, places: Mapping[str, int]) -> Impressions:
        """Renumber users and put items at their places, those without one left out, and order them.

        The same slate in the same second counts once, as acts do. Cost: a sort of the slates; memory 40 bytes
        an item shown.
        """
        items = np.array([places.get(item_id, -1) for item_id in self.names], dtype=np.int64)
        user, at = users[np.asarray(self.user, dtype=np.int64)], np.asarray(self.at, dtype=np.int64)
        end = np.asarray(self.end, dtype=np.int64)
        order = first_of_equal(np.asarray(self.digest), at, user)
        order = order[np.lexsort((at[order], user[order]))]
        start = np.concatenate(([0], end))[:-1][order]
        length = end[order] - start
        position = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        item = items[np.asarray(self.item, dtype=np.int64)[np.repeat(start, length) + position]]
        shown = Impressions(
            user=np.repeat(user[order], length).astype(np.int32),
            item=item.astype(np.int32),
            at=np.repeat(at[order], length),
            position=position.astype(np.uint8),
            clicked=np.zeros(len(item), dtype=np.bool_),
        )
        return shown.where(shown.item >= 0)
