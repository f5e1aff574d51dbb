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
from personalization.deadlines import NEVER, Deadline
from personalization.errors import Conflict, CorruptData, InvalidInput, Unavailable
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
from personalization.profiles import Outcome
from personalization.tokens import Keys
from personalization.visitors import Person, identify, person_of
from personalization.withdrawal import forget_what_was_learned, holds_more_than_the_word

REFRESH_INTERVAL: Final = timedelta(seconds=2)
_WRITE_ATTEMPTS: Final = 3
_WRITERS: Final = 8
_BOOK: Final = {
    Outcome.APPLIED: "applied",
    Outcome.DUPLICATE: "duplicate",
    Outcome.BOT: "filtered",
    Outcome.LATE: "filtered",
    Outcome.ERASED: "filtered",
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
    """One user's part of a batch, counted only once it is written.

    Attributes
    ----------
    user_key
        Of whom the profile is: the one whose lists are to be rebuilt.
    unreadable
        Why the events can't be folded; None if they can.
    """

    user_key: str
    unreadable: str | None = None
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
        The key, or the keys, that signed the recommendation ids.
    new_id
        Makes the id of each write, by which a writer knows its own.
    """

    profiles: ProfileStore
    catalog: Catalog
    quarantine: Quarantine
    refreshes: RefreshQueue
    token_secret: Keys
    erasures: ErasureQueue
    consent_default: Consent
    epoch: int
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def project(self, records: Sequence[StreamRecord], deadline: Deadline = NEVER) -> Projection:
        """Apply a batch. Cost: one read per 100 users, one write a user, one queue call per 10 refreshes.

        A merged visitor costs one more read, and a transaction in place of the write; an `identify` one more
        read, and a transaction the first time. Users are written side by side; what each did is counted when
        all are done. Once the deadline is over nothing new begins: what is left is to be sent again, and what
        is done stays done.
        """
        result = Projection()
        users, items = self._parse(records, result, deadline)
        states = self.profiles.load(users)
        requests: dict[RefreshRequest, int] = {}
        with ThreadPoolExecutor(_WRITERS) as pool:
            folds = pool.map(lambda user: self._apply(user, states[user], users[user], deadline), users)
            for events, fold in zip(users.values(), folds, strict=True):
                if fold is None:
                    result.failed.append(events[0][0].sequence_number)
                elif fold.unreadable:
                    reason = f"the profile can't be read: {fold.unreadable}"
                    for record, _ in events:
                        self._set_aside(record, reason, result, deadline)
                else:
                    requests |= _count(fold, result)
        self._put_items(items, result, deadline)
        self._request(requests, result, deadline)
        return result

    def _parse(
        self, records: Iterable[StreamRecord], result: Projection, deadline: Deadline
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
                if not self._set_aside(record, str(error), result, deadline):
                    stuck.add(record.partition_key)
        return users, items

    def _set_aside(self, record: StreamRecord, reason: str, result: Projection, deadline: Deadline) -> bool:
        """Quarantine a record; return False, and mark it for retry, if that isn't possible now."""
        try:
            if deadline.is_over:
                raise Unavailable("no time")
            result.outcomes["quarantined"] += self.quarantine.put(record, epoch=self.epoch, reason=reason)
        except Unavailable:
            result.failed.append(record.sequence_number)
            return False
        return True

    def _apply(self, user_key: str, state: UserState, events: _Events, deadline: Deadline) -> _Fold | None:
        """Fold a user's events and write once; on a conflict read again and fold again.

        Returns what was done, or None if the user's events must be sent again.
        """
        for _ in range(_WRITE_ATTEMPTS):
            if deadline.is_over:
                return None
            version = self.new_id()
            try:
                person = person_of(self.profiles, user_key, state)
                self._identify(person, events)
                fold = self._fold(person, events)
                if not fold.handled:
                    return fold
                if fold.forgets:
                    forget_what_was_learned(user_key, person.own, self.profiles, self.erasures, self.clock())
                person.save(self.profiles, version=version, now=self.clock())
            except CorruptData as error:
                return _Fold(user_key, unreadable=str(error))
            except Conflict:
                state = self.profiles.load([user_key])[user_key]
                if state.version != version:
                    continue
            except Unavailable:
                return None
            return fold
        return None

    def _identify(self, person: Person, events: _Events) -> None:
        """Merge the visitors that new events name, before anything is folded: each is a write of its own."""
        for record, event in events:
            if event.visitor_key and Mark.of(self.epoch, record.sequence_number) > person.own.mark:
                identify(self.profiles, person, event, version=self.new_id(), now=self.clock())

    def _fold(self, person: Person, events: _Events) -> _Fold:
        fold = _Fold(person.holder_key)
        own, deliberate = person.own, False
        for record, event in events:
            mark = Mark.of(self.epoch, record.sequence_number)
            if mark <= own.mark:
                continue
            own.mark = mark
            fold.handled += 1
            fold.newest = record.arrived_at
            if withdraws(event):
                fold.forgets |= holds_more_than_the_word(own, self.consent_default)
            outcome = person.take(event)
            fold.outcomes[_BOOK[outcome]] += 1
            if outcome is Outcome.APPLIED:
                deliberate |= event.event_type in DELIBERATE or event.visitor_key != ""
                _add(fold.attributions, attribute(event, self.token_secret, own.credited))
        if deliberate:
            fold.delay_seconds = self._claim_refresh(person.holder)
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

    def _put_items(self, items: _Events, result: Projection, deadline: Deadline) -> None:
        if items and deadline.is_over:
            result.failed.append(items[0][0].sequence_number)
            return
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
                self._set_aside(record, str(error), result, deadline)

    def _request(self, requests: dict[RefreshRequest, int], result: Projection, deadline: Deadline) -> None:
        """Queue refreshes; a lost one is made up for by the next read, which sees an old list."""
        try:
            if deadline.is_over:
                raise Unavailable("no time")
            self.refreshes.send(requests)
        except Unavailable:
            result.outcomes["refresh_lost"] += len(requests)


def _count(fold: _Fold, result: Projection) -> dict[RefreshRequest, int]:
    """Add what one user's write did; return the refresh it asks for."""
    result.outcomes.update(fold.outcomes)
    _add(result.attributions, fold.attributions)
    result.newest = max(filter(None, (result.newest, fold.newest)), default=None)
    return {} if fold.delay_seconds is None else {RefreshRequest(fold.user_key): fold.delay_seconds}


def _add(totals: dict[Attribution, float], more: Mapping[Attribution, float]) -> None:
    for series, value in more.items():
        totals[series] = totals.get(series, 0.0) + value
