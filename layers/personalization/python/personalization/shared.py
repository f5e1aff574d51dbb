"""What all users share: the model in service, fallback lists, unavailable items; in an outage as well."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from personalization import keys
from personalization.deadlines import Deadline, Guard
from personalization.errors import CorruptData, Unavailable
from personalization.keys import Key
from personalization.lists import ListItem, RecommendationList, choose
from personalization.names import Degraded
from personalization.ports import ActiveModel, ListStore, Snapshot

CACHE_SECONDS: Final = 10.0
MAX_CACHED_SEGMENTS: Final = 60
READ_SHARE: Final = 0.6
"""Of the time for an answer, for the table; the rest is for what stands in."""
LastCopy = Callable[[], Mapping[str, RecommendationList]]
"""Reads the shared lists as they were last published, by name; raises `Unavailable`."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, RecommendationList])


def no_copy() -> Mapping[str, RecommendationList]:
    """Return nothing: what was published is kept nowhere else."""
    return {}


def pack(lists: Mapping[str, RecommendationList]) -> bytes:
    """Encode at most `MAX_CACHED_SEGMENTS` lists, those of the fewest facts first: about 5 KB each."""
    names = sorted(lists, key=lambda name: (name.count("="), name))[:MAX_CACHED_SEGMENTS]
    return _encoder.encode({name: lists[name] for name in names})


def unpack(data: bytes) -> dict[str, RecommendationList]:
    """Read what `pack` wrote.

    Raises
    ------
    CorruptData
        No such lists.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(str(error)) from None


@dataclass
class SharedLists:
    """What all users share, read at most once in `CACHE_SECONDS`.

    A name in `lists` without a list is read along next time: absent, or not looked up yet.

    Attributes
    ----------
    is_copy
        Whether the lists are those that were last published, for the store could not be read yet.
    """

    active: ActiveModel | None = None
    unavailable: frozenset[str] = frozenset()
    lists: dict[str, RecommendationList | None] = field(default_factory=dict)
    read_at: float = float("-inf")
    is_copy: bool = False

    def wanted(self, segments: list[str], now: float) -> list[Key]:
        """Keys to read along: all of it when the copy is old, else only segments never looked up."""
        if now - self.read_at >= CACHE_SECONDS:
            if len(self.lists) >= MAX_CACHED_SEGMENTS:
                self.lists = {}
            names = {*self.lists, *segments}
            return [keys.ACTIVE_MODEL, keys.UNAVAILABLE_ITEMS, *self._list_keys(names)]
        return self._list_keys({name for name in segments if name not in self.lists})

    def _list_keys(self, names: set[str]) -> list[Key]:
        if self.active is None:
            return []
        return [keys.segment_key(name, version=self.active.version) for name in sorted(names)]

    def take(self, snapshot: Snapshot, wanted: list[Key], now: float) -> None:
        """Keep what was read; after a switch of the model, shared lists are read again next time."""
        for key in wanted:
            if key == keys.ACTIVE_MODEL:
                self.read_at = now if snapshot.active == self.active else float("-inf")
                self.active = snapshot.active
                self.unavailable = snapshot.unavailable
            elif name := keys.shared_name(key):
                self.lists[name] = snapshot.lists.get(key)
                self.is_copy = False

    def stand_in(self, last_copy: LastCopy, guard: Guard, deadline: Deadline) -> Degraded:
        """Make do with what is kept here, however old, else with what was published; say which it is."""
        if not any(self.lists.values()):
            with suppress(Unavailable, CorruptData):
                self.lists = dict(guard.call(last_copy, deadline.remaining))
                self.is_copy = True
        if not any(self.lists.values()):
            return Degraded.NOTHING
        return Degraded.PUBLISHED_LISTS if self.is_copy else Degraded.KEPT_LISTS


@dataclass(frozen=True)
class SharedReader:
    """Answers with one list that all users share."""

    store: ListStore
    shared: SharedLists
    last_copy: LastCopy
    table: Guard
    copy: Guard

    def items(
        self, name: str, *, limit: int, now: datetime, deadline: Deadline
    ) -> tuple[list[ListItem], str | None, Degraded | None]:
        """Return a list's first items, its model version, and what stands in for it, if anything does.

        At most one call to the store in `CACHE_SECONDS`, two in a process's first request.
        """
        degraded = None
        try:
            self._read(name, now.timestamp(), deadline.part(READ_SHARE))
        except Unavailable:
            degraded = self.shared.stand_in(self.last_copy, self.copy, deadline)
        found = self.shared.lists.get(name)
        if found is None:
            return [], None, degraded
        items = choose(found.items, limit=limit, unavailable=self.shared.unavailable)
        return items, found.model_version, degraded

    def _read(self, name: str, now: float, deadline: Deadline) -> None:
        for _ in range(2):
            wanted = self.shared.wanted([name], now)
            if wanted:
                snapshot = self.table.call(partial(self.store.read, wanted), deadline.remaining)
                self.shared.take(snapshot, wanted, now)
