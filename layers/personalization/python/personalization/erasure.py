"""Forgetting a person: the tombstone in their profile, what is queued, and the receipt.

The tombstone is a time: whatever was received before it is never applied again, by nobody; who comes back
begins a new life with what is received from then on. A receipt names no one: its id is a digest of user key
and time, so that whoever asked knows it and nobody can tell a person from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Protocol

from msgspec import Struct, field

from personalization.errors import Conflict, Unavailable
from personalization.events import Event, EventType
from personalization.ledger import CreditedItems, SeenIds
from personalization.ports import ErasureQueue, ErasureRequest, ListStore, ProfileStore, UserState
from personalization.profiles import forgotten

LATE: Final = timedelta(hours=13)
"""After so long all is looked through again: a consumer that is behind writes for 6 hours at most, then gives
up, and a night of training that had begun before has ended within 12."""
LEFT: Final = timedelta(minutes=30)
"""Work that is not done by then is taken up by the hourly round: its message is lost, or its worker is."""
_ATTEMPTS: Final = 5


class Status(StrEnum):
    """How far an erasure is."""

    REQUESTED = "requested"
    """The profile is empty and no list is left; the rest follows within minutes."""
    COMPLETE = "complete"
    """Nothing of the person rests anywhere but in what expires by itself."""


class Tally(Struct):
    """What was done in one store.

    Attributes
    ----------
    objects
        That were looked through.
    changed
        Of those, how many were rewritten or removed.
    removed
        Records of the person in them: lines, or whole objects.
    left
        Objects that a running training still needs: they go when all is looked through again.
    """

    store: str
    objects: int = 0
    changed: int = 0
    removed: int = 0
    left: int = 0


class Expiry(Struct, frozen=True):
    """What can't be rewritten, and when it is gone by itself at the latest."""

    what: str
    at: datetime


class ErasureReceipt(Struct, frozen=True, kw_only=True):
    """What became of an erasure.

    Attributes
    ----------
    requested_at
        What was received before is forgotten.
    repeats_after, repeated_at
        When all is looked through again, for what late writers brought; and when it was.
    """

    erasure_id: str
    requested_at: datetime
    status: Status
    repeats_after: datetime
    completed_at: datetime | None = None
    repeated_at: datetime | None = None
    stores: tuple[Tally, ...] = ()
    expires: tuple[Expiry, ...] = ()


class Pending(Struct, kw_only=True):
    """An erasure on its way, with all that is needed to go on where it stopped; removed when it is done.

    Attributes
    ----------
    stage, after
        The store that is being worked on, and the last of its objects that is done.
    sessions
        Visits of the person, as their lines name them: experiments may count by those.
    """

    user_key: str
    requested_at: int
    stage: int = 0
    after: str = ""
    tallies: dict[str, Tally] = field(default_factory=dict)
    sessions: list[str] = field(default_factory=list)
    completed_at: datetime | None = None

    @property
    def request(self) -> ErasureRequest:
        """What was asked for."""
        return ErasureRequest(self.user_key, self.requested_at)

    def tally(self, store: str) -> Tally:
        """Return the tally of a store, a new one if it has none."""
        return self.tallies.setdefault(store, Tally(store))


class ErasureLog(Protocol):
    """The tombstones once more, beside the table; erasures on their way; receipts."""

    def open(self, request: ErasureRequest, receipt: ErasureReceipt) -> None:
        """Note a request durably; one that is noted already stays as it is."""
        ...

    def save(self, pending: Pending) -> None:
        """Keep how far the work is."""
        ...

    def receipt(self, erasure_id: str) -> ErasureReceipt | None:
        """Return a receipt; None if there is none of this id."""
        ...


def erasure_id(request: ErasureRequest) -> str:
    """Name an erasure: 32 hexadecimal characters.

    >>> erasure_id(ErasureRequest("qtTmGZt33jMF5WiZlIaovg", 1_768_478_400))
    '5e78fac0056a15eec0461e11eef5830c'
    """
    text = f"{request.user_key}\n{request.requested_at}"
    return blake2b(text.encode(), digest_size=16).hexdigest()


def requested(request: ErasureRequest) -> ErasureReceipt:
    """Return the receipt of an erasure that has begun."""
    at = datetime.fromtimestamp(request.requested_at, UTC)
    return ErasureReceipt(
        erasure_id=erasure_id(request), requested_at=at, status=Status.REQUESTED, repeats_after=at + LATE
    )


def is_due(pending: Pending, now: datetime) -> bool:
    """Whether work is to be taken up without a message: it was left undone, or is to be done again."""
    if pending.completed_at is None:
        return now.timestamp() - pending.requested_at >= LEFT.total_seconds()
    return now >= requested(pending.request).repeats_after


def is_forgotten(event: Event, erased_at: int) -> bool:
    """Whether an event belongs to a life that its user had forgotten; a word about consent outlives it."""
    word = event.event_type is EventType.CONSENT_CHANGED
    return not word and event.received_at.timestamp() < erased_at


def forget(state: UserState, at: int) -> bool:
    """Empty a state but for the word about consent, and leave the tombstone; return False if it is there.

    The marks stay: they name places of the stream, and guard the new life as they did the old one. What a
    new life put into the profile between `at` and now goes with the rest, and stays in the lake.
    """
    if state.erased_at >= at:
        return False
    state.profile, state.seen, state.credited = forgotten(state.profile), SeenIds(), CreditedItems()
    state.refresh_due_at, state.unreadable, state.merged_into = 0.0, None, ""
    state.erased_at = at
    return True


def is_gone(state: UserState) -> bool:
    """Whether the user was forgotten and has not come back."""
    return bool(state.erased_at) and not state.profile.last_at


def persons(user_key: str, profiles: ProfileStore) -> list[str]:
    """Return whom an erasure takes: the user, and the visitors who turned out to be them, by any way.

    Cost: a query a person.
    """
    found = [user_key]
    for person in found:
        found += [visitor for visitor in profiles.visitors(person) if visitor not in found]
    return found


def bury(
    profiles: ProfileStore, request: ErasureRequest, *, now: datetime, new_id: Callable[[], str]
) -> bool:
    """Write a user's tombstone, whoever else is writing; return False if it is there.

    Cost: a read and a write, again for each write that came in between.

    Raises
    ------
    Unavailable
        Others wrote between each of several reads and writes.
    """
    for _ in range(_ATTEMPTS):
        state = profiles.load([request.user_key])[request.user_key]
        if not forget(state, request.requested_at):
            return False
        try:
            profiles.save(request.user_key, state, version=new_id(), now=now)
        except Conflict:
            continue
        return True
    raise Unavailable("the profile is being written to all the time")


def hide(
    pending: Pending,
    profiles: ProfileStore,
    lists: ListStore,
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> None:
    """Do what is seen at once, and note it: the tombstone, and no list left but those of a new life."""
    buried = bury(profiles, pending.request, now=now, new_id=new_id)
    profiles.forget_visitors(pending.user_key)
    state = profiles.load([pending.user_key])[pending.user_key]
    before = None if is_gone(state) else pending.requested_at
    deleted = lists.delete_lists(pending.user_key, built_before=before)
    for store, count in (("profile", int(buried)), ("lists", deleted)):
        tally = pending.tally(store)
        tally.objects += count
        tally.changed += count
        tally.removed += count


@dataclass(frozen=True, slots=True)
class Eraser:
    """Answers who asks to be forgotten: what they see is gone at once, the rest is queued."""

    profiles: ProfileStore
    lists: ListStore
    log: ErasureLog
    queue: ErasureQueue
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def erase(self, user_key: str) -> ErasureReceipt:
        """Have a user forgotten, and each visitor who turned out to be them.

        Cost a person: four puts, a message, two queries, a read, a write, and a delete a list and visitor.
        The request is noted and queued before the tombstone is written: an answer that gets lost in between
        costs nothing, for whoever works the request off writes the tombstone as well.

        Raises
        ------
        Unavailable
            A dependency is down. Asking again is right, and harmless.
        """
        now = self.clock()
        # What is received within this second, before the answer, is of the old life.
        at = int(now.timestamp()) + 1
        requests = [ErasureRequest(one, at) for one in persons(user_key, self.profiles)]
        # The user comes last: whoever works theirs off forgets who the visitors were.
        for request in reversed(requests):
            self.log.open(request, requested(request))
            self.queue.send(request)
        for request in reversed(requests):
            pending = Pending(user_key=request.user_key, requested_at=at)
            hide(pending, self.profiles, self.lists, now=now, new_id=self.new_id)
            self.log.save(pending)
        return requested(requests[0])


def completed(
    pending: Pending, *, now: datetime, retention: Mapping[str, float], again: bool
) -> ErasureReceipt:
    """Return the receipt of an erasure whose work is done, or done again.

    Parameters
    ----------
    retention
        Days that what can't be rewritten is kept, by what it is, from the end of the work on.
    """
    begun = requested(pending.request)
    first = pending.completed_at or now
    return ErasureReceipt(
        erasure_id=begun.erasure_id,
        requested_at=begun.requested_at,
        status=Status.COMPLETE,
        repeats_after=begun.repeats_after,
        completed_at=first,
        repeated_at=now if again else None,
        stores=tuple(pending.tallies[name] for name in sorted(pending.tallies)),
        expires=tuple(Expiry(what, first + timedelta(days=days)) for what, days in retention.items()),
    )
