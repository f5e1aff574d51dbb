"""Folding the stream into the table: profiles and catalogue, exactly once in effect.

A batch is grouped by partition key; each user costs one read and one conditional write. Records at or
before the user's mark were applied by an earlier attempt and are passed over. A record that can't
be processed is quarantined before the mark moves past it; if the quarantine is out of reach, that user's
later records wait, because a mark that overtakes a failed record would lose it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from personalization.attribution import Attribution, attribute
from personalization.consent import withdraws
from personalization.errors import Conflict, InvalidInput, Unavailable
from personalization.events import DELIBERATE, Event, decode_event
from personalization.ledger import Mark
from personalization.names import Consent
from personalization.ports import (
    Catalog,
    ErasureQueue,
    ItemChange,
    ProfileStore,
    Quarantine,
    RefreshQueue,
    RefreshRequest,
    StreamRecord,
    UserState,
)
from personalization.profiles import Outcome, apply
from personalization.withdrawal import holds_more_than_the_word, mark_for_erasure

REFRESH_INTERVAL: Final = timedelta(seconds=2)
_WRITE_ATTEMPTS: Final = 3
_WRITERS: Final = 8
_BOOK: Final = {
    Outcome.APPLIED: "applied",
    Outcome.DUPLICATE: "duplicate",
    Outcome.BOT: "filtered",
    Outcome.LATE: "filtered",
    Outcome.WITHDRAWN: "filtered",
}

_Events = list[tuple[StreamRecord, Event]]


@dataclass
class Projection:
    """What a batch did, for metrics and for the answer to the event source.

    Attributes
    ----------
    outcomes
        Records by outcome; each counts once however often the batch is retried.
    attributions
        What came back with a valid receipt, added up by series.
    failed
        Sequence numbers to be retried, one for each partition key that is stuck.
    newest
        Arrival of the newest record that was applied, or None.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    attributions: dict[Attribution, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    newest: datetime | None = None


@dataclass
class _Fold:
    """One user's part of a batch, counted only once it is written."""

    state: UserState
    handled: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    attributions: dict[Attribution, float] = field(default_factory=dict)
    newest: datetime | None = None
    delay_seconds: int | None = None
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Projector:
    """Applies batches of stream records.

    Parameters
    ----------
    epoch
        The stream's creation time, in seconds since 1970.
    token_secret
        Key that signed the recommendation ids.
    new_id
        Makes the id of each write, by which a writer knows its own.
    """

    profiles: ProfileStore
    catalog: Catalog
    quarantine: Quarantine
    refreshes: RefreshQueue
    erasures: ErasureQueue
    consent_default: Consent
    token_secret: bytes
    epoch: int
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def project(self, records: Sequence[StreamRecord]) -> Projection:
        """Apply a batch. Cost: one read per 100 users, one write a user, one queue call per 10 refreshes.

        Users are written side by side; what each did is counted when all are done.
        """
        result = Projection()
        users, items = self._parse(records, result)
        states = self.profiles.load(users)
        for user_key in [user for user in users if states[user].unreadable]:
            for record, _ in users.pop(user_key):
                self._set_aside(record, f"the profile can't be read: {states[user_key].unreadable}", result)
        requests: dict[RefreshRequest, int] = {}
        with ThreadPoolExecutor(_WRITERS) as pool:
            folds = pool.map(lambda user: self._apply(user, states[user], users[user]), users)
            for (user_key, events), fold in zip(users.items(), folds, strict=True):
                if fold is None:
                    result.failed.append(events[0][0].sequence_number)
                else:
                    requests |= _count(user_key, fold, result)
        self._put_items(items, result)
        self._request(requests, result)
        return result

    def _parse(
        self, records: Iterable[StreamRecord], result: Projection
    ) -> tuple[dict[str, _Events], _Events]:
        users: dict[str, _Events] = {}
        items: _Events = []
        stuck: set[str] = set()
        for record in records:
            if record.partition_key in stuck:
                continue
            try:
                event = decode_event(record.data)
                if event.anonymous:
                    # Nobody's profile: `ingest_events` counted it as filtered when it took it in.
                    continue
                if event.item is not None:
                    items.append((record, event))
                elif event.user_key:
                    users.setdefault(event.user_key, []).append((record, event))
                else:
                    raise InvalidInput("invalid_field", "neither a user's event nor an item's")
            except InvalidInput as error:
                if not self._set_aside(record, str(error), result):
                    stuck.add(record.partition_key)
        return users, items

    def _set_aside(self, record: StreamRecord, reason: str, result: Projection) -> bool:
        """Quarantine a record; return False, and mark it for retry, if that isn't possible now."""
        try:
            result.outcomes["quarantined"] += self.quarantine.put(record, epoch=self.epoch, reason=reason)
        except Unavailable:
            result.failed.append(record.sequence_number)
            return False
        return True

    def _apply(self, user_key: str, state: UserState, events: _Events) -> _Fold | None:
        """Fold a user's events and write once; on a conflict read again and fold again.

        Returns what was done, or None if the user's events must be sent again.
        """
        for _ in range(_WRITE_ATTEMPTS):
            fold = self._fold(state, events)
            if not fold.handled:
                return fold
            version = self.new_id()
            try:
                if fold.forgets:
                    self.erasures.send(mark_for_erasure(user_key, fold.state, self.clock()))
                self.profiles.save(user_key, fold.state, version=version, now=self.clock())
            except Conflict:
                state = self.profiles.load([user_key])[user_key]
                if state.version != version:
                    continue
            except Unavailable:
                return None
            return fold
        return None

    def _fold(self, state: UserState, events: _Events) -> _Fold:
        fold = _Fold(state)
        deliberate = False
        for record, event in events:
            mark = Mark.of(self.epoch, record.sequence_number)
            if mark <= state.mark:
                continue
            state.mark = mark
            fold.handled += 1
            fold.newest = record.arrived_at
            if withdraws(event):
                fold.forgets |= holds_more_than_the_word(state, self.consent_default)
            outcome = apply(state.profile, event) if state.seen.add(event.event_id) else Outcome.DUPLICATE
            fold.outcomes[_BOOK[outcome]] += 1
            if outcome is Outcome.APPLIED:
                deliberate |= event.event_type in DELIBERATE
                _add(fold.attributions, attribute(event, self.token_secret, state.credited))
        if deliberate:
            fold.delay_seconds = self._claim_refresh(state)
        return fold

    def _claim_refresh(self, state: UserState) -> int | None:
        """Decide when the user's list is rebuilt: now, or after the pause, or by one already queued."""
        now = self.clock().timestamp()
        pause = REFRESH_INTERVAL.total_seconds()
        if state.refresh_due_at > now:
            return None
        if now - state.refresh_due_at < pause:
            state.refresh_due_at = now + pause
            return int(pause)
        state.refresh_due_at = now
        return 0

    def _put_items(self, items: _Events, result: Projection) -> None:
        changes = [
            ItemChange(event.item, Mark.of(self.epoch, record.sequence_number))
            for record, event in items
            if event.item
        ]
        try:
            result.outcomes["applied"] += self.catalog.put(changes) if changes else 0
        except Unavailable:
            result.failed.append(items[0][0].sequence_number)
        except InvalidInput as error:
            for record, _ in items:
                self._set_aside(record, str(error), result)

    def _request(self, requests: dict[RefreshRequest, int], result: Projection) -> None:
        """Queue refreshes; a lost one is made up for by the next read, which sees an old list."""
        try:
            self.refreshes.send(requests)
        except Unavailable:
            result.outcomes["refresh_lost"] += len(requests)


def _count(user_key: str, fold: _Fold, result: Projection) -> dict[RefreshRequest, int]:
    """Add what one user's write did; return the refresh it asks for."""
    result.outcomes.update(fold.outcomes)
    _add(result.attributions, fold.attributions)
    result.newest = max(filter(None, (result.newest, fold.newest)), default=None)
    return {} if fold.delay_seconds is None else {RefreshRequest(user_key): fold.delay_seconds}


def _add(totals: dict[Attribution, float], more: Mapping[Attribution, float]) -> None:
    for series, value in more.items():
        totals[series] = totals.get(series, 0.0) + value
