"""The ports in memory: same behaviour as the AWS adapters, held to it by the same contract tests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from personalization import keys
from personalization.consent import Standing
from personalization.errors import Conflict, CorruptData
from personalization.events import Event
from personalization.experiment_results import ExperimentResults, decode_results, encode_results
from personalization.experiments import Definitions
from personalization.keys import Key
from personalization.ledger import CreditedItems, Mark, SeenIds
from personalization.lists import RecommendationList, decode_list, encode_list
from personalization.names import Consent
from personalization.ports import (
    ActiveModel,
    ErasureRequest,
    ItemChange,
    RefreshRequest,
    Snapshot,
    StreamRecord,
    UserState,
)
from personalization.profile_encoding import decode, encode


@dataclass
class MemoryEventStream:
    """Keeps what was sent; `refuse` holds event ids the stream won't take."""

    events: list[Event] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    def send(self, events: Sequence[Event]) -> list[int]:
        """Append events; return the indexes of the refused ones."""
        self.events += [event for event in events if event.event_id not in self.refuse]
        return [index for index, event in enumerate(events) if event.event_id in self.refuse]


class StoredState(NamedTuple):
    """A user's state as it is stored."""

    data: bytes
    seen: bytes = b""
    mark: Mark = Mark()
    import_mark: Mark = Mark()
    refresh_due_at: float = 0.0
    version: str = "v"
    credited: bytes = b""
    erased_at: int = 0
    merged_into: str = ""


@dataclass
class MemoryTable:
    """Profiles, lists and catalogue behind the three table ports."""

    states: dict[str, StoredState] = field(default_factory=dict)
    merged: set[tuple[str, str]] = field(default_factory=set)
    lists: dict[Key, bytes] = field(default_factory=dict)
    items: dict[str, ItemChange] = field(default_factory=dict)
    unavailable: set[str] = field(default_factory=set)
    active: ActiveModel | None = None
    experiments: dict[str, bytes] = field(default_factory=dict)

    def load(self, user_keys: Iterable[str]) -> dict[str, UserState]:
        """Read states; empty ones for unknown users."""
        return {user_key: self._state(user_key) for user_key in user_keys}

    def _state(self, user_key: str) -> UserState:
        if user_key not in self.states:
            return UserState()
        stored = self.states[user_key]
        state = UserState(
            seen=SeenIds(stored.seen),
            credited=CreditedItems(stored.credited),
            mark=stored.mark,
            import_mark=stored.import_mark,
            refresh_due_at=stored.refresh_due_at,
            version=stored.version,
            erased_at=stored.erased_at,
            merged_into=stored.merged_into,
        )
        try:
            state.profile = decode(stored.data)
        except CorruptData as error:
            state.unreadable = str(error)
        return state

    def erased_at(self, user_keys: Iterable[str]) -> dict[str, int]:
        """Read tombstones."""
        found = {user: self.states[user].erased_at for user in user_keys if user in self.states}
        return {user: at for user, at in found.items() if at}

    def standings(self, user_keys: Iterable[str]) -> dict[str, Standing]:
        """Read what users said."""
        profiles = {key: decode(self.states[key].data) for key in user_keys if key in self.states}
        return {
            key: profile.standing(Consent(profile.consent.consent))
            for key, profile in profiles.items()
            if profile.consent
        }

    def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:  # noqa: ARG002
        """Write a state, guarded by the version that was read."""
        stored = self.states[user_key].version if user_key in self.states else None
        if stored != state.version:
            raise Conflict("version")
        self.states[user_key] = StoredState(
            encode(state.profile),
            bytes(state.seen),
            state.mark,
            state.import_mark,
            state.refresh_due_at,
            version,
            bytes(state.credited),
            state.erased_at,
            state.merged_into,
        )
        state.version = version

    def save_together(self, states: Mapping[str, UserState], *, version: str, now: datetime) -> None:
        """Write several states, all or none."""
        before = dict(self.states)
        try:
            for user_key, state in states.items():
                self.save(user_key, state, version=version, now=now)
        except Conflict:
            self.states = before
            raise
        self.merged |= {(state.merged_into, key) for key, state in states.items() if state.merged_into}

    def visitors(self, user_key: str) -> list[str]:
        """Return the keys merged into a user."""
        return sorted(visitor for user, visitor in self.merged if user == user_key)

    def forget_visitors(self, user_key: str) -> None:
        """Remove what is known of them beside their own records."""
        self.merged = {row for row in self.merged if row[0] != user_key}

    def read(self, keys_wanted: Sequence[Key]) -> Snapshot:
        """Read records of any kind."""
        found = next((user for user in self.states if keys.profile_key(user) in keys_wanted), None)
        state = None if found is None else self._state(found)
        merged = state is not None and bool(state.merged_into)
        return Snapshot(
            profile=state.profile if state and not merged else None,
            merged=merged,
            lists={key: decode_list(self.lists[key]) for key in keys_wanted if key in self.lists},
            active=self.active if keys.ACTIVE_MODEL in keys_wanted else None,
            unavailable=frozenset(self.unavailable if keys.UNAVAILABLE_ITEMS in keys_wanted else ()),
        )

    def write_list(self, key: Key, recommendations: RecommendationList, *, expires_at: int) -> bool:  # noqa: ARG002
        """Write a list unless the stored one is fresher."""
        if key in self.lists:
            stored = decode_list(self.lists[key])
            if stored.revision > recommendations.revision and stored.built_at >= recommendations.built_at:
                return False
        self.lists[key] = encode_list(recommendations)
        return True

    def lists_of(self, user_key: str) -> dict[Key, RecommendationList]:
        """Return all lists of a user."""
        pk = keys.profile_key(user_key).pk
        return {key: decode_list(data) for key, data in self.lists.items() if key.pk == pk}

    def delete_lists(self, user_key: str, *, built_before: int | None = None) -> int:
        """Delete a user's lists, or those that were built before a time."""
        own = self.lists_of(user_key).items()
        old = [key for key, row in own if built_before is None or row.built_at < built_before]
        for key in old:
            del self.lists[key]
        return len(old)

    def activate(self, model: ActiveModel, *, instead_of: str | None = None) -> None:
        """Switch the model in service."""
        if instead_of is not None and (self.active is None or self.active.version != instead_of):
            raise Conflict(f"{instead_of} is no longer in service")
        self.active = model

    def put(self, changes: Sequence[ItemChange]) -> int:
        """Apply changes that are later than what is stored."""
        applied = 0
        for change in changes:
            item_id = change.item.item_id
            if item_id in self.items and change.mark <= self.items[item_id].mark:
                continue
            applied += 1
            self.items[item_id] = change
            (self.unavailable.discard if change.item.available else self.unavailable.add)(item_id)
        return applied

    def results(self, names: Sequence[str]) -> list[ExperimentResults]:
        """Read results."""
        return [decode_results(self.experiments[name]) for name in names if name in self.experiments]

    def analyzed(self) -> list[str]:
        """Name the experiments that have results."""
        return sorted(self.experiments)

    def write_results(self, results: ExperimentResults) -> bool:
        """Write results unless the stored ones are of a later time."""
        stored = self.results([results.experiment])
        if stored and stored[0].as_of > results.as_of:
            return False
        self.experiments[results.experiment] = encode_results(results)
        return True


@dataclass
class FixedDefinitions:
    """Definitions that are there from the start, or never."""

    definitions: Definitions | None

    def current(self) -> Definitions | None:
        """Return them."""
        return self.definitions


@dataclass
class MemoryRefreshQueue:
    """Keeps what was queued, in order."""

    requests: list[tuple[RefreshRequest, int]] = field(default_factory=list)

    def send(self, requests: Mapping[RefreshRequest, int]) -> None:
        """Queue requests."""
        self.requests += requests.items()


@dataclass
class MemoryErasureQueue:
    """Keeps what was queued, in order."""

    requests: list[ErasureRequest] = field(default_factory=list)

    def send(self, request: ErasureRequest) -> None:
        """Queue a request."""
        self.requests.append(request)


@dataclass
class MemoryArchive:
    """Objects by key."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, body: bytes, *, overwrite: bool = True) -> bool:
        """Write one object, or leave the one that is there."""
        if key in self.objects and not overwrite:
            return False
        self.objects[key] = body
        return True

    def get(self, key: str) -> bytes | None:
        """Read one object."""
        return self.objects.get(key)


@dataclass
class MemoryQuarantine:
    """Quarantined records by sequence number, with their reason."""

    records: dict[str, tuple[StreamRecord, str]] = field(default_factory=dict)

    def put(self, record: StreamRecord, *, epoch: int, reason: str) -> bool:  # noqa: ARG002
        """Keep a record once."""
        kept = self.records.setdefault(record.sequence_number, (record, reason))
        return kept[0] is record
