"""What `analyze_experiments` knows of one experiment: a row a user, in numpy columns, kept from run to run.

Exposures and outcomes may arrive in any order, late, or twice: the same facts give the same totals. The
receipt of an outcome names its variant, so it was issued at an exposure and the outcome comes after it, even
where the exposure's own record is read later; until then its user counts for nothing.

Memory: 93 bytes a user who was exposed or acted before, and 8 bytes an outcome of the last days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntFlag
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from personalization.events import EventType
from training.experimentation.user_totals import UserTotals

Hashes = npt.NDArray[np.uint64]
Column = npt.NDArray[Any]

DAY: Final = 86_400
OPEN_DAYS: Final = 7
"""The stream keeps records for 7 days at most: so late may an object of a day come."""
CREDITED_DAYS: Final = 9
"""An outcome comes again for 7 days, a receipt's life, and rests in the stream for as long; a day's worth of
objects that is read anew reaches back no further. Beyond it, repeats are the lake's reader's to drop."""
_NEVER: Final = np.iinfo(np.int64).max
_NOBODY: Final = -1
_COLUMNS: Final[dict[str, tuple[type[np.generic], int]]] = {
    "variant": (np.int16, _NOBODY),
    "stratum": (np.int16, 0),
    "left_out": (np.uint8, 0),
    "first_exposed": (np.int64, _NEVER),
    **dict.fromkeys(("impressions", "clicks", "conversions", "revenue", "dwell_seconds"), (np.float64, 0)),
    **dict.fromkeys(
        ("impressions_before", "clicks_before", "revenue_before", "dwell_before"), (np.float64, 0)
    ),
}
_KINDS: Final = (EventType.IMPRESSION, EventType.CLICK, EventType.PURCHASE, EventType.DWELL)
KIND: Final = {kind: place for place, kind in enumerate(_KINDS)}
_SINCE: Final = ("impressions", "clicks", "revenue", "dwell_seconds")
_BEFORE: Final = ("impressions_before", "clicks_before", "revenue_before", "dwell_before")


class LeftOut(IntFlag):
    """Why a user who was exposed is not counted."""

    FORCED = 1
    """Looked at a variant that was chosen by hand: a tester."""
    CROSSED = 2
    """Was seen in two variants."""
    BOT = 4
    """A crawler asked in the user's name; what it was shown is no exposure, and does not void others."""


VOID: Final = int(LeftOut.FORCED | LeftOut.CROSSED)
"""Who was so once is left out for good."""


class Exposure(NamedTuple):
    """A user saw a variant.

    Attributes
    ----------
    variant, stratum
        Place of its name in the state's `variants` and `strata`.
    at
        Seconds since 1970.
    left_out
        A `LeftOut`, or 0.
    """

    user: int
    variant: int
    stratum: int
    at: int
    left_out: int


class Outcome(NamedTuple):
    """What a user did, once.

    Attributes
    ----------
    identity
        Hash of what counts once.
    day
        Of its arrival, since 1970.
    kind
        One of `KIND`.
    before
        Whether it happened before the experiment.
    """

    user: int
    identity: int
    day: int
    kind: int
    before: bool
    value: float


_EXPOSURE: Final = np.dtype(
    [("user", "u8"), ("variant", "i2"), ("stratum", "i2"), ("at", "i8"), ("out", "u1")]
)
_OUTCOME: Final = np.dtype(
    [("user", "u8"), ("identity", "u8"), ("day", "i4"), ("kind", "i1"), ("before", "?"), ("value", "f8")]
)


@dataclass
class TotalsState:
    """One experiment's users, what they did, and what was read to know it.

    Attributes
    ----------
    name
        Of the experiment.
    started_at
        Seconds since 1970: what arrived earlier, in the days before, is a covariate; 0 where there is none.
    users
        Hashes of user keys, ascending.
    columns
        (users,) by name: place of the variant or -1, stratum, `LeftOut`, first exposure, and the sums of
        `UserTotals`.
    variants, strata
        Names in the order they were first seen.
    credited
        Day -> identities of the outcomes that arrived on it, ascending.
    objects
        Day of the lake -> hashes of its objects that were read, ascending.
    through
        Day, since 1970, of the last run; None before the first.
    closed
        The last analysis is made; nothing is read any more.
    """

    name: str
    started_at: int = 0
    users: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    columns: dict[str, Column] = field(default_factory=lambda: _defaults(0))
    variants: list[str] = field(default_factory=list)
    strata: list[str] = field(default_factory=list)
    credited: dict[int, Hashes] = field(default_factory=dict)
    objects: dict[int, Hashes] = field(default_factory=dict)
    through: int | None = None
    closed: bool = False

    def expose(self, exposures: Sequence[Exposure]) -> None:
        """Take in exposures. Cost: O(n log n) of them, and one pass over all users where some are new."""
        rows = np.array(exposures, dtype=_EXPOSURE)
        rows = rows[np.lexsort((rows["variant"], rows["at"]))]
        self._flag(rows["user"], rows["out"])
        counted = rows[rows["out"] == 0]
        self._cross(counted)
        _, first = np.unique(counted["user"], return_index=True)
        earliest = counted[first]
        place = self._places(earliest["user"])
        columns = self.columns
        sooner = earliest["at"] < columns["first_exposed"][place]
        for name, source in (("variant", "variant"), ("stratum", "stratum"), ("first_exposed", "at")):
            columns[name][place[sooner]] = earliest[source][sooner]

    def add(self, outcomes: Sequence[Outcome]) -> int:
        """Take in outcomes, each once; return how many were new.

        Cost: O(n log n) of them, a search in each day's identities, and one pass over all users where some
        are new.
        """
        rows = np.array(outcomes, dtype=_OUTCOME)
        _, first = np.unique(rows["identity"], return_index=True)
        rows = rows[np.sort(first)]
        for known in self.credited.values():
            rows = rows[~_among(known, rows["identity"])]
        for day in np.unique(rows["day"]).tolist():
            fresh = np.sort(rows["identity"][rows["day"] == day])
            self.credited[day] = _merged(self.credited.get(day, np.empty(0, np.uint64)), fresh)
        place = self._places(rows["user"])
        for names, some in ((_SINCE, ~rows["before"]), (_BEFORE, rows["before"])):
            for kind, name in enumerate(names):
                chosen = some & (rows["kind"] == kind)
                np.add.at(self.columns[name], place[chosen], rows["value"][chosen])
        bought = ~rows["before"] & (rows["kind"] == KIND[EventType.PURCHASE])
        np.add.at(self.columns["conversions"], place[bought], 1)
        return len(rows)

    def forget(self, units: Iterable[int]) -> int:
        """Remove the rows of users, or sessions, by their hashes; return how many there were."""
        gone = np.isin(self.users, np.array(list(units), dtype=np.uint64))
        self.users = self.users[~gone]
        self.columns = {name: column[~gone] for name, column in self.columns.items()}
        return int(np.count_nonzero(gone))

    def was_read(self, day: int, objects: Hashes) -> npt.NDArray[np.bool_]:
        """Tell which objects of a day were read."""
        return _among(self.objects.get(day, np.empty(0, np.uint64)), objects)

    def note_read(self, day: int, objects: Iterable[int]) -> None:
        """Keep in mind that objects of a day were read."""
        fresh = np.unique(np.array(list(objects), dtype=np.uint64))
        known = self.objects.get(day, np.empty(0, np.uint64))
        self.objects[day] = _merged(known, fresh[~_among(known, fresh)])

    def close_days(self, today: int) -> None:
        """Forget objects and identities of days that nothing can be added to any more."""
        self.through = max(today, self.through or today)
        self.objects = {day: read for day, read in self.objects.items() if day >= self.through - OPEN_DAYS}
        self.credited = {
            day: known for day, known in self.credited.items() if day >= self.through - CREDITED_DAYS
        }

    def first_open_day(self, today: int) -> int:
        """Return the first day that new objects may be found in."""
        return (today if self.through is None else self.through) - OPEN_DAYS

    def totals(self, arms: Sequence[str]) -> UserTotals:
        """Return the users to count, their variants as places in `arms`, ascending by hash."""
        place = np.array(
            [arms.index(name) if name in arms else _NOBODY for name in self.variants] + [_NOBODY]
        )
        # Nobody's variant, -1, is the last place.
        variant = place[self.columns["variant"]].astype(np.int16)
        chosen = (variant != _NOBODY) & (self.columns["left_out"] & VOID == 0)
        names = [name for name in _COLUMNS if name not in ("variant", "left_out")]
        return UserTotals(variant=variant[chosen], **{name: self.columns[name][chosen] for name in names})

    def first_exposed_at(self) -> datetime | None:
        """Return the time of the first exposure; None before it."""
        first = self.columns["first_exposed"].min(initial=_NEVER)
        return None if first == _NEVER else datetime.fromtimestamp(int(first), UTC)

    def left_out(self, reason: LeftOut) -> int:
        """Count the users that are left out for a reason; of bots those that were never anything else."""
        flagged = self.columns["left_out"] & int(reason) != 0
        if reason is LeftOut.BOT:
            flagged &= self.columns["variant"] == _NOBODY
        return int(np.count_nonzero(flagged))

    def _flag(self, users: Hashes, flags: Column) -> None:
        marked = flags != 0
        place = self._places(users[marked])
        np.bitwise_or.at(self.columns["left_out"], place, flags[marked])

    def _cross(self, rows: npt.NDArray[np.void]) -> None:
        """Flag who is seen in another variant than before, or in two at once."""
        place = self._places(rows["user"])
        known = self.columns["variant"][place]
        first = np.full(len(self.users), _NOBODY, np.int16)
        first[place[::-1]] = rows["variant"][::-1]
        other = np.where(known == _NOBODY, first[place], known) != rows["variant"]
        self.columns["left_out"][place[other]] |= np.uint8(LeftOut.CROSSED)

    def _places(self, users: Hashes) -> npt.NDArray[np.intp]:
        """Return the rows of users, adding those that have none."""
        new = np.unique(users)
        new = new[~_among(self.users, new)]
        if len(new):
            at = np.searchsorted(self.users, new)
            self.users = np.insert(self.users, at, new)
            for name, (_, default) in _COLUMNS.items():
                self.columns[name] = np.insert(self.columns[name], at, default)
        return np.searchsorted(self.users, users)


def hash_of(*parts: str) -> int:
    """Hash texts into 64 bits. 30 million of them hold a pair that is alike once in 40,000 times."""
    return int.from_bytes(blake2b("\n".join(parts).encode(), digest_size=8).digest())


def _defaults(rows: int) -> dict[str, Column]:
    return {name: np.full(rows, default, kind) for name, (kind, default) in _COLUMNS.items()}


def _among(known: Hashes, wanted: Hashes) -> npt.NDArray[np.bool_]:
    """Tell which of `wanted` are among the ascending `known`."""
    if not len(known):
        return np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.equal(known[place], wanted)


def _merged(known: Hashes, fresh: Hashes) -> Hashes:
    """Put ascending `fresh`, none of which is known, among the ascending `known`."""
    return np.insert(known, np.searchsorted(known, fresh), fresh)
