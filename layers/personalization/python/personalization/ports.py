"""What the use cases need from the outside, by role. Each has a fake in `adapters.memory`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from personalization.builds import Build
from personalization.consent import Standing
from personalization.events import Event, Item
from personalization.experiment_results import ExperimentResults
from personalization.experiments import Definitions
from personalization.keys import Key
from personalization.ledger import CreditedItems, Mark, SeenIds
from personalization.lists import RecommendationList
from personalization.profiles import Profile


@dataclass(slots=True)
class UserState:
    """A profile with its write bookkeeping.

    Attributes
    ----------
    mark, import_mark
        How far the stream, and imports, were read for the user.
    refresh_due_at
        Seconds since 1970 of the last refresh that was queued.
    version
        Id of the write that is stored; None before the first one.
    unreadable
        Why the stored profile can't be read; None for any other.
    erased_at
        Seconds since 1970 at which the user was forgotten: what was received before is never applied again.
        0 for who never was.
    merged_into
        User key of whom this visitor turned out to be; empty for any other.
    """

    profile: Profile = field(default_factory=Profile)
    seen: SeenIds = field(default_factory=SeenIds)
    credited: CreditedItems = field(default_factory=CreditedItems)
    mark: Mark = field(default_factory=Mark)
    import_mark: Mark = field(default_factory=Mark)
    refresh_due_at: float = 0.0
    version: str | None = None
    unreadable: str | None = None
    erased_at: int = 0
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A new version of a catalogue item, and its place in the stream or in an import."""

    item: Item
    mark: Mark


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The model in service and the one before it.

    Attributes
    ----------
    published_at
        Seconds since 1970 of the switch to it.
    rolled_back
        Whether it was put back in service, rather than published.
    """

    version: str
    previous: str | None
    published_at: int
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one read found."""

    profile: Profile | None = None
    lists: Mapping[Key, RecommendationList] = field(default_factory=dict)
    active: ActiveModel | None = None
    unavailable: frozenset[str] = frozenset()
    merged: bool = False
    """The profile asked for is a visitor's who turned out to be a user: it is no longer theirs to see."""


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
    """Ask for a user's lists to be rebuilt; no surfaces means the ones they saw lately.

    Attributes
    ----------
    builds
        What a request missed, beside what the user's experiments ask for.
    """

    user_key: str
    surfaces: tuple[str, ...] = ()
    builds: tuple[Build, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Ask for all lines of the lake about a user to be gathered in one object."""

    user_key: str
    requested_at: int


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """Ask for a user to be forgotten: all that was received before `requested_at`, in seconds since 1970."""

    user_key: str
    requested_at: int


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

    def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:
        """Write a state under a new version id if the stored version is the one that was read.

        Raises
        ------
        Conflict
            Another version is stored. It may be this very one, if the answer to a first try got lost.
        """
        ...

    def save_together(self, states: Mapping[str, UserState], *, version: str, now: datetime) -> None:
        """Write several states as `save` does, all or none; for each that was merged, note it with the user.

        Raises
        ------
        Conflict
            Another version of one of them is stored, or being written.
        """
        ...

    def visitors(self, user_key: str) -> list[str]:
        """Return the keys that were merged into a user, in order; each of them may have visitors, too."""
        ...

    def forget_visitors(self, user_key: str) -> None:
        """Remove what is known of them beside their own records."""
        ...


class Tombstones(Protocol):
    """Who asked to be forgotten."""

    def erased_at(self, user_keys: Iterable[str]) -> dict[str, int]:
        """Return when each user was last forgotten, in seconds since 1970; who never was is left out."""
        ...


class ConsentStore(Protocol):
    """What users said of consent."""

    def standings(self, user_keys: Iterable[str]) -> dict[str, Standing]:
        """Return what is in force for who said something; eventually consistent."""
        ...


class UserWords(Tombstones, ConsentStore, Protocol):
    """What users had done, or allowed, with what is known of them."""


class Catalog(Protocol):
    """Catalogue items and their availability."""

    def put(self, changes: Sequence[ItemChange]) -> int:
        """Apply changes in order, but for those at or before an item's stored mark; return how many.

        Also keeps the set of unavailable items. Cost: a read per 100 items, a write an item, and one or two
        more where availability changes.

        Raises
        ------
        InvalidInput
            `catalog_full`: the set of unavailable items has no room.
        """
        ...


class ListStore(Protocol):
    """Lists, the active model, and whatever else a read needs, in one round trip."""

    def read(self, keys: Sequence[Key]) -> "Snapshot":
        """Read up to 100 records of any kind; absent ones are left out. Eventually consistent."""
        ...

    def write_list(self, key: Key, recommendations: RecommendationList, *, expires_at: int) -> bool:
        """Write a list unless the stored one is fresher; return whether it was written.

        Fresher is a list of a later revision that was built no earlier.
        """
        ...

    def lists_of(self, user_key: str) -> dict[Key, RecommendationList]:
        """Return all lists of a user; those that can't be read are left out."""
        ...

    def delete_lists(self, user_key: str, *, built_before: int | None = None) -> int:
        """Delete a user's lists, or those built before so many seconds since 1970; return how many."""
        ...

    def activate(self, model: ActiveModel, *, instead_of: str | None = None) -> None:
        """Switch the model in service: one write, if `instead_of` is the version in service or left out.

        Raises
        ------
        Conflict
            Another version is in service by now.
        """
        ...


class DefinitionSource(Protocol):
    """Definitions of experiments."""

    def current(self) -> Definitions | None:
        """Return those in force as far as is known; None while none could be read. Never waits long."""
        ...


class RefreshQueue(Protocol):
    """Requests to rebuild lists."""

    def send(self, requests: Mapping[RefreshRequest, int]) -> None:
        """Queue requests, each with its delay in seconds."""
        ...


class ErasureQueue(Protocol):
    """Users to be forgotten everywhere; whoever works it off writes the tombstone, if nobody has."""

    def send(self, request: ErasureRequest) -> None:
        """Queue a request; asking twice does no more than asking once.

        Raises
        ------
        Unavailable
            Nothing was queued.
        """
        ...


class Quarantine(Protocol):
    """Where records go that can't be processed."""

    def put(self, record: StreamRecord, *, epoch: int, reason: str) -> bool:
        """Keep a record's bytes with the reason; return False if it is kept already."""
        ...


class ExperimentStore(Protocol):
    """The latest results of each experiment."""

    def results(self, names: Sequence[str]) -> list[ExperimentResults]:
        """Read results in the order of the names; experiments that have none are left out."""
        ...

    def analyzed(self) -> list[str]:
        """Name the experiments that have results, in order."""
        ...

    def write_results(self, results: ExperimentResults) -> bool:
        """Write results, unless the stored ones are of a later time; return whether they were written."""
        ...


class Archive(Protocol):
    """The event lake."""

    def put(self, key: str, body: bytes, *, overwrite: bool = True) -> bool:
        """Write one object; with `overwrite` off, return False if the key is taken."""
        ...


class ModelStore(Archive, Protocol):
    """Published models, which are read as well."""

    def get(self, key: str) -> bytes | None:
        """Read one object; None if there is none."""
        ...
