"""What the use cases need from the outside, by role. Each has a fake in `adapters.memory`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from personalization.events import Event, Item
from personalization.keys import Key
from personalization.ledger import Mark, SeenIds
from personalization.lists import RecommendationList
from personalization.profiles import Profile


@dataclass(slots=True)
class UserState:
    """A profile with its write bookkeeping; `stored_mark` is None until the first write."""

    profile: Profile = field(default_factory=Profile)
    seen: SeenIds = field(default_factory=SeenIds)
    mark: Mark = field(default_factory=Mark)
    stored_mark: Mark | None = None
    refresh_due_at: float = 0.0
    """Seconds since 1970 of the last refresh that was queued."""


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The model in service and the one before it."""

    version: str
    previous: str | None
    published_at: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one read found."""

    profile: Profile | None = None
    lists: Mapping[Key, RecommendationList] = field(default_factory=dict)
    active: ActiveModel | None = None
    unavailable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record of the event stream as a consumer gets it."""

    shard: str
    sequence_number: str
    partition_key: str
    arrived_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """Ask for a user's lists to be rebuilt; no surfaces means the ones they saw lately."""

    user_key: str
    surfaces: tuple[str, ...] = ()


class EventStream(Protocol):
    """The durable queue between acceptance and processing."""

    def send(self, events: Sequence[Event]) -> list[int]:
        """Append events; return the indexes of those the stream did not take, in order."""
        ...


class ProfileStore(Protocol):
    """Profiles with optimistic writes."""

    def load(self, user_keys: Iterable[str]) -> dict[str, UserState]:
        """Read the state of each user; a user without one gets an empty state."""
        ...

    def save(self, user_key: str, state: UserState, *, now: datetime) -> None:
        """Write a state if the stored mark is still the one that was read; else raise `Conflict`."""
        ...


class Catalog(Protocol):
    """Catalogue items and their availability."""

    def put(self, items: Sequence[tuple[Item, datetime]]) -> None:
        """Write items, each with the time of its change, unless a later version is stored.

        Also keeps the set of unavailable items. Cost: a write an item and two a call.
        """
        ...


class ListStore(Protocol):
    """Lists, the active model, and whatever else a read needs, in one round trip."""

    def read(self, keys: Sequence[Key]) -> "Snapshot":
        """Read up to 100 records of any kind; absent ones are left out. Eventually consistent."""
        ...

    def write_list(self, key: Key, recommendations: RecommendationList, *, expires_at: int) -> bool:
        """Write a list unless a stored one is of a later revision; return whether it was written."""
        ...

    def activate(self, model: ActiveModel) -> None:
        """Switch the model in service: one write."""
        ...


class RefreshQueue(Protocol):
    """Requests to rebuild lists."""

    def send(self, requests: Mapping[RefreshRequest, int]) -> None:
        """Queue requests, each with its delay in seconds."""
        ...


class Quarantine(Protocol):
    """Where records go that can't be processed."""

    def put(self, record: StreamRecord, *, epoch: int, reason: str) -> bool:
        """Keep a record's bytes with the reason; return False if it is kept already."""
        ...


class Archive(Protocol):
    """The event lake."""

    def put(self, key: str, body: bytes, *, overwrite: bool = True) -> bool:
        """Write one object; with `overwrite` off, return False if the key is taken."""
        ...
