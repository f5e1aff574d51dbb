"""Acts: what users did with items, as columns.

An act is a positive, deliberate dealing with one item (`candidates.ACT_WEIGHTS`); impressions never are, but
are kept beside them, and a low rating is none, though its item is owned. Events of bots and events later than
the late window are left out, as in profiles, and so is the same act in the same second: a client's retry.
What a user did before taking back consent is left out, too; acts that name nobody count for popularity alone.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.candidates import WEIGHT_OF_CODE, is_positive
from personalization.consent import begins_at, withdraws
from personalization.events import Event, EventType, Item
from personalization.profiles import CODES, OWNING, at_seconds, item_hash, reason_to_ignore
from training.impressions import Impressions, Slates, first_of_equal
from training.persons import Link, follow, holder_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Acts:
    """*m* acts, ordered by user, then by arrival, then by place in the log.

    Attributes
    ----------
    user, item
        (m,), indexes into `ActLog.users` and `ActLog.items`.
    at
        (m,), arrival in seconds since 1970.
    weight
        (m,), `candidates.ACT_WEIGHTS` of its kind.
    """

    user: Ints
    item: Ints
    at: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def none(cls) -> "Acts":
        """Return no acts."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing.astype(np.float32))

    def and_those(self, others: "Acts") -> "Acts":
        """Return both, for counting: in no order, and users mean nothing."""
        columns = ("user", "item", "at", "weight")
        return Acts(*(np.concatenate((getattr(self, name), getattr(others, name))) for name in columns))

    def where(self, mask: npt.NDArray[np.bool_]) -> "Acts":
        """Return the acts a mask (m,) selects."""
        return Acts(self.user[mask], self.item[mask], self.at[mask], self.weight[mask])

    def of_persons(self, person: Ints) -> "Acts":
        """Return the acts with a user's new number at the place of the old one, several users being one.

        Acts of one second stay in the order of the old numbers; what two of them did alike is done once.
        """
        user = person[self.user]
        kept = first_of_equal(self.weight, self.item, self.at, user)
        order = kept[np.lexsort((self.at[kept], user[kept]))]
        return Acts(user[order], self.item[order], self.at[order], self.weight[order])

    def without_last(self, count: int) -> "Acts":
        """Return the acts without each user's last `count`."""
        ends = np.searchsorted(self.user, self.user, side="right")
        return self.where(np.arange(len(self)) < ends - count)

    def matrix(self, users: int, items: int) -> sparse.csr_array:
        """Return (users, items), 1 where a user has such an act."""
        ones = np.ones(len(self), dtype=np.float32)
        counts = sparse.csr_array((ones, (self.user, self.item)), shape=(users, items))
        counts.data[:] = 1.0
        return counts

    def first_of_each_item(self) -> "Acts":
        """Return each user's first act on each item, in order: their sequence of new items."""
        pairs = self.user * (int(self.item.max(initial=0)) + 1) + self.item
        _, first = np.unique(pairs, return_index=True)
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[first] = True
        return self.where(mask)


@dataclass(frozen=True)
class ActLog:
    """The acts of a log with what their numbers mean.

    Attributes
    ----------
    users
        User keys, sorted; every user of the log, also those without acts.
    items
        The catalogue: listed items and items that only events name, in the order of `item_hash`. That
        scatters them: a tie that goes to the earlier item gives nothing away where ids follow time.
    owned
        What was bought or rated, low ratings too; with weight 0.
    shown
        What was shown of the catalogue, and whether it was acted on.
    merged_into
        Visitor -> whom they turned out to be, as `persons.redirects` tells.
    anonymous
        Acts of nobody in particular, each its own in `user`; by arrival.
    since
        User key -> `Profile.since`, of those who took back consent: of before, nothing is left.
    events
        Events of users read.
    last_at
        Arrival of the newest event, or None for an empty log.
    """

    users: tuple[str, ...]
    items: tuple[Item, ...]
    acts: Acts
    owned: Acts
    events: int
    last_at: datetime | None
    shown: Impressions = field(default_factory=Impressions.none)
    merged_into: Mapping[str, str] = field(default_factory=dict)
    anonymous: Acts = field(default_factory=Acts.none)
    since: Mapping[str, int] = field(default_factory=dict)

    def without_last(self, count: int) -> "ActLog":
        """Return the log without each user's last `count` acts, and what was shown since the first of them.

        What was shown shortly before is left out, too: it led to them.
        """
        if not count:
            return self
        acts = self.acts
        ends = np.searchsorted(acts.user, acts.user, side="right")
        held = acts.where(np.arange(len(acts)) >= ends - count)
        first = np.full(len(self.users), np.iinfo(np.int64).max)
        np.minimum.at(first, held.user, held.at)
        acts = acts.without_last(count)
        return replace(self, acts=acts, shown=self.shown.mature_before(first))


@dataclass(frozen=True)
class _Rows:
    """Acts as they are read, 20 bytes each, with users and items in the order of their first mention."""

    user: "array[int]" = field(default_factory=lambda: array("i"))
    item: "array[int]" = field(default_factory=lambda: array("i"))
    at: "array[int]" = field(default_factory=lambda: array("q"))
    weight: "array[float]" = field(default_factory=lambda: array("f"))

    @classmethod
    def of(cls, acts: Acts) -> "_Rows":
        user, item = (array("i", column.astype(np.int32).tobytes()) for column in (acts.user, acts.item))
        return cls(user, item, array("q", acts.at.tobytes()), array("f", acts.weight.tobytes()))

    def append(self, user: int, item: int, at: int, weight: float) -> None:
        self.user.append(user)
        self.item.append(item)
        self.at.append(at)
        self.weight.append(weight)

    def ordered(self, users: Ints, items: Ints, first: Ints) -> Acts:
        """Renumber users and items, and order the acts; of equal ones the first in the log stays.

        `first` (users,) is the place of each user's first row that counts.
        """
        user, at, weight = np.asarray(self.user), np.asarray(self.at), np.asarray(self.weight)
        counts = np.arange(len(user)) >= first[user]
        user, item = users[user[counts]], items[np.asarray(self.item)[counts]]
        at, weight = at[counts], weight[counts]
        kept = first_of_equal(weight, item, at, user)
        order = kept[np.lexsort((at[kept], user[kept]))]
        return Acts(user[order], item[order], at[order], weight[order])

    def distinct(self, items: Ints) -> Acts:
        """Renumber items and order the acts; of those of one user on one item the earliest stays."""
        user, item = np.asarray(self.user, dtype=np.int64), items[np.asarray(self.item, dtype=np.int64)]
        at, weight = np.asarray(self.at), np.asarray(self.weight)
        order = np.lexsort((item, user, at))
        kept = order[first_of_equal(user[order], item[order])]
        return Acts(user[kept], item[kept], at[kept], weight[kept])


class ActCollector:
    """Collects a log event by event; goes on from what was collected before, as if it had read both.

    Memory: 82 bytes an act while they are put in order, 28 after; 80 bytes an item shown, 18 after; and the
    ids of users and items. What was shown of items that are neither listed nor acted on is passed over.
    """

    def __init__(
        self, items: Sequence[Item] = (), *, before: ActLog | None = None, slates: Slates | None = None
    ) -> None:
        known = items if before is None else (*before.items, *items)
        self._catalogue = {item.item_id: item for item in known}
        self._items = {item_id: number for number, item_id in enumerate(self._catalogue)}
        self._users = {} if before is None else {user: number for number, user in enumerate(before.users)}
        self._acts = _Rows() if before is None else _Rows.of(before.acts)
        self._owned = _Rows() if before is None else _Rows.of(before.owned)
        self._anonymous = _Rows() if before is None else _Rows.of(before.anonymous)
        self._slates = slates or Slates()
        self._since = {} if before is None else dict(before.since)
        self._begun: dict[int, tuple[int, int, int]] = {}
        self._events = 0 if before is None else before.events
        self._last_at = None if before is None else before.last_at
        self.merged_into = {} if before is None else dict(before.merged_into)
        """Visitor -> whom they turned out to be."""
        self.last_act_at = max(self._acts.at, default=0)
        """Arrival of the newest act, in seconds since 1970; 0 without one."""

    def add(self, event: Event) -> None:
        """Take one event; of an item's versions the last read stays."""
        if event.item is not None:
            self._catalogue[event.item.item_id] = event.item
            self._items.setdefault(event.item.item_id, len(self._items))
            return
        if event.anonymous:
            self._add_anonymous(event)
            return
        self._events += 1
        self._last_at = max(self._last_at or event.received_at, event.received_at)
        user = self._users.setdefault(event.user_key, len(self._users))
        if (link := Link.of(event)) is not None:
            follow(link, self.merged_into)
        if withdraws(event):
            self._begin_anew(event.user_key, begins_at(event))
        if reason_to_ignore(event) is not None:
            return
        self._begin_anew(event.user_key, event.since)
        if event.since < self._since.get(event.user_key, 0):
            return
        self._note(user, event)

    def _note(self, user: int, event: Event) -> None:
        """Keep what an event shows or tells of items."""
        at = at_seconds(event.received_at)
        if event.item_ids:
            self._slates.append(user, at, event.item_ids)
        if event.item_id is None:
            return
        item = self._items.setdefault(event.item_id, len(self._items))
        if _is_act(event):
            self._acts.append(user, item, at, WEIGHT_OF_CODE[CODES[event.event_type]])
            self.last_act_at = max(self.last_act_at, at)
        if event.event_type in OWNING:
            self._owned.append(user, item, at, 0.0)

    def _add_anonymous(self, event: Event) -> None:
        if event.item_id is None or reason_to_ignore(event) is not None:
            return
        item = self._items.setdefault(event.item_id, len(self._items))
        if _is_act(event):
            nobody = crc32(event.event_id.encode()) >> 1
            weight = WEIGHT_OF_CODE[CODES[event.event_type]]
            self._anonymous.append(nobody, item, at_seconds(event.received_at), weight)

    def _begin_anew(self, user_key: str, since: int) -> None:
        """Let what was read of a user count no more, if `since` is later than what is known."""
        if since > self._since.get(user_key, 0):
            self._since[user_key] = since
            places = len(self._acts.at), len(self._owned.at), len(self._slates.at)
            self._begun[self._users[user_key]] = places

    def _first(self, part: int) -> Ints:
        """(users,), the place of each user's first row that counts, of acts, owned or slates."""
        first = np.zeros(len(self._users), dtype=np.int64)
        for user, places in self._begun.items():
            first[user] = places[part]
        return first

    def log(self, *, as_sent: bool = False) -> ActLog:
        """Put what was read so far in order.

        What visitors did, ever, is done by whom they turned out to be, unless it is asked for `as_sent`.
        """
        user_order, users = _ordered(self._users, key=str)
        item_order, items = _ordered(self._items, key=lambda item_id: (item_hash(item_id), item_id))
        acts = self._acts.ordered(user_order, item_order, self._first(0))
        owned = self._owned.ordered(user_order, item_order, self._first(1))
        places = {item_id: int(item_order[number]) for item_id, number in self._items.items()}
        shown = self._kept_slates().ordered(user_order, places)
        if self.merged_into and not as_sent:
            users, person = _persons(users, self.merged_into)
            acts, owned, shown = acts.of_persons(person), owned.of_persons(person), shown.of_persons(person)
        return ActLog(
            users=users,
            items=tuple(self._catalogue.get(item_id) or Item(item_id=item_id) for item_id in items),
            acts=acts,
            owned=owned,
            events=self._events,
            last_at=self._last_at,
            shown=shown.answered_by(acts.user, acts.item, acts.at),
            merged_into=dict(sorted(self.merged_into.items())),
            anonymous=self._anonymous.distinct(item_order),
            since=dict(sorted(self._since.items())),
        )

    def slates(self) -> Slates:
        """Return the slates as read, with `log`'s numbers of users; a later reading goes on from them."""
        return self._kept_slates().renumbered(_ordered(self._users, key=str)[0])

    def _kept_slates(self) -> Slates:
        return self._slates.since(self._first(2)) if self._begun else self._slates


def collect(events: Iterable[Event], items: Sequence[Item] = ()) -> ActLog:
    """Read a log once."""
    collector = ActCollector(items)
    for event in events:
        collector.add(event)
    return collector.log()


def _is_act(event: Event) -> bool:
    tenths = round((event.value or 0) * 10) if event.event_type is EventType.RATING else 0
    return is_positive(CODES[event.event_type], tenths)


def _persons(users: Sequence[str], merged_into: Mapping[str, str]) -> tuple[tuple[str, ...], Ints]:
    """Return who is left, in order, and for each of all users the place of whom they turned out to be."""
    holders = [holder_of(user, merged_into) for user in users]
    left = tuple(sorted(set(holders)))
    places = {user: place for place, user in enumerate(left)}
    return left, np.fromiter((places[user] for user in holders), np.int64, len(holders))


def _ordered(numbers: dict[str, int], key: Callable[[str], Any]) -> tuple[Ints, tuple[str, ...]]:
    """Order names; return (new number of each old number, names in new order)."""
    names = sorted(numbers, key=key)
    order = np.empty(len(names), dtype=np.int64)
    for new, name in enumerate(names):
        order[numbers[name]] = new
    return order, tuple(names)
