"""Acts: what users did with items, as columns.

An act is a positive, deliberate dealing with one item (`candidates.ACT_WEIGHTS`); impressions never are, but
are kept beside them, and a low rating is none, though its item is owned. Events of bots and events later than
the late window are left out, as in profiles, and so is the same act in the same second: a client's retry.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.candidates import WEIGHT_OF_CODE, is_positive
from personalization.events import Event, EventType, Item
from personalization.profiles import CODES, LATE_WINDOW, OWNING, at_seconds, item_hash
from training.impressions import Impressions, Slates, first_of_equal

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

    def where(self, mask: npt.NDArray[np.bool_]) -> "Acts":
        """Return the acts a mask (m,) selects."""
        return Acts(self.user[mask], self.item[mask], self.at[mask], self.weight[mask])

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

    def append(self, user: int, item: int, at: int, weight: float) -> None:
        self.user.append(user)
        self.item.append(item)
        self.at.append(at)
        self.weight.append(weight)

    def ordered(self, users: Ints, items: Ints) -> Acts:
        """Renumber users and items, and order the acts; of equal ones the first in the log stays."""
        user, item = users[np.asarray(self.user)], items[np.asarray(self.item)]
        at, weight = np.asarray(self.at), np.asarray(self.weight)
        kept = first_of_equal(weight, item, at, user)
        order = kept[np.lexsort((at[kept], user[kept]))]
        return Acts(user[order], item[order], at[order], weight[order])


def collect(events: Iterable[Event], items: Sequence[Item] = ()) -> ActLog:
    """Read a log once.

    Memory: 82 bytes an act while they are put in order, 28 after; 80 bytes an item shown, 18 after; and the
    ids of users and items. What was shown of items that are neither listed nor acted on is passed over.
    """
    users: dict[str, int] = {}
    catalogue = {item.item_id: item for item in items}
    numbers = {item_id: number for number, item_id in enumerate(catalogue)}
    acts, owned, slates = _Rows(), _Rows(), Slates()
    named: dict[str, int] = {}
    count, last_at = 0, None
    for event in events:
        if event.item is not None:
            catalogue[event.item.item_id] = event.item
            numbers.setdefault(event.item.item_id, len(numbers))
            continue
        count += 1
        last_at = max(last_at or event.received_at, event.received_at)
        user = users.setdefault(event.user_key, len(users))
        if event.bot or event.received_at - event.occurred_at > LATE_WINDOW:
            continue
        at = at_seconds(event.received_at)
        if event.item_ids:
            slates.append(user, at, [named.setdefault(item_id, len(named)) for item_id in event.item_ids])
        if event.item_id is None:
            continue
        item = numbers.setdefault(event.item_id, len(numbers))
        if _is_act(event):
            acts.append(user, item, at, WEIGHT_OF_CODE[CODES[event.event_type]])
        if event.event_type in OWNING:
            owned.append(user, item, at, 0.0)
    user_order, users_sorted = _ordered(users, key=str)
    item_order, items_sorted = _ordered(numbers, key=lambda item_id: (item_hash(item_id), item_id))
    known = tuple(catalogue.get(item_id) or Item(item_id=item_id) for item_id in items_sorted)
    done = acts.ordered(user_order, item_order)
    listed = [item_order[numbers[item_id]] if item_id in numbers else -1 for item_id in named]
    shown = slates.ordered(user_order, np.array(listed, dtype=np.int64))
    return ActLog(
        users=users_sorted,
        items=known,
        acts=done,
        owned=owned.ordered(user_order, item_order),
        events=count,
        last_at=last_at,
        shown=shown.answered_by(done.user, done.item, done.at),
    )


def _is_act(event: Event) -> bool:
    tenths = round((event.value or 0) * 10) if event.event_type is EventType.RATING else 0
    return is_positive(CODES[event.event_type], tenths)


def _ordered(numbers: dict[str, int], key: Callable[[str], Any]) -> tuple[Ints, tuple[str, ...]]:
    """Order names; return (new number of each old number, names in new order)."""
    names = sorted(numbers, key=key)
    order = np.empty(len(names), dtype=np.int64)
    for new, name in enumerate(names):
        order[numbers[name]] = new
    return order, tuple(names)
