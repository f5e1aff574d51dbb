"""Visitors who turned out to be users: whose profile an event goes to, and how two profiles become one.

A visitor acts under an id of their own until they sign in; an `identify` of the user then names it. The
visitor's profile is merged into the user's, once, and the visitor's record says from then on into whom
(`UserState.merged_into`). Only the profile moves. Marks, ids seen and items credited are about the records of
one partition key and stay with it: what a visitor's device still sends, or has in flight on another shard,
is told by the visitor's own mark and folded into the user's profile, both in one transaction.

- A visitor is merged once: an `identify` that names one who is somebody's by then merges nothing.
- A user may be named as a visitor in turn, with all visitors of theirs: the way is followed, and shortened
  whenever it is taken. Nobody is merged into themselves, by whatever way.
- Consent is of the key that gave it: a visitor's word says nothing of the user, and what a visitor agreed to
  is not learned of a user who refuses.
- An erasure stands: what was received before it, an `identify` or what it would bring in, changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from personalization.erasure import is_forgotten
from personalization.errors import CorruptData
from personalization.events import Event, EventType
from personalization.names import Consent
from personalization.ports import ProfileStore, UserState
from personalization.profile_merging import merge
from personalization.profiles import Outcome, apply, forgotten, reason_to_ignore


@dataclass(frozen=True, slots=True)
class Person:
    """A partition key's own bookkeeping, and the record with the profile that its events go to.

    Attributes
    ----------
    own
        State of `key`.
    holder
        State of `holder_key`; for anybody but a merged visitor, `own` itself.
    """

    key: str
    own: UserState
    holder_key: str
    holder: UserState

    def take(self, event: Event) -> Outcome:
        """Fold an event into the profile, unless it was seen, is none of a profile, or was erased."""
        if _is_erased(event, self.own, self.holder):
            return Outcome.ERASED
        if not self.own.seen.add(event.event_id):
            return Outcome.DUPLICATE
        if self.own is self.holder or event.event_type is EventType.CONSENT_CHANGED:
            return apply(self.own.profile, event)
        if event.since < self.own.profile.since or _refuses(self.holder):
            return Outcome.WITHDRAWN
        return apply(self.holder.profile, replace(event, since=self.holder.profile.since))

    def save(self, profiles: ProfileStore, *, version: str, now: datetime) -> None:
        """Write what changed: one record, or visitor and user in one transaction; raises as both do."""
        if self.own is self.holder:
            profiles.save(self.key, self.own, version=version, now=now)
        else:
            self.own.merged_into = self.holder_key
            profiles.save_together(
                {self.holder_key: self.holder, self.key: self.own}, version=version, now=now
            )


def person_of(profiles: ProfileStore, key: str, state: UserState) -> Person:
    """Find whose profile a key's events go to. Cost: a read for a merged visitor, seldom more than one.

    Raises
    ------
    CorruptData
        A record on the way can't be read, or they name each other in a circle.
    """
    passed = {key}
    holder_key, holder = key, state
    while holder.merged_into:
        holder_key = holder.merged_into
        if holder_key in passed:
            raise CorruptData(f"{holder_key} was merged into itself")
        passed.add(holder_key)
        holder = profiles.load([holder_key])[holder_key]
    if unreadable := state.unreadable or holder.unreadable:
        raise CorruptData(unreadable)
    return Person(key, state, holder_key, holder)


def identify(profiles: ProfileStore, person: Person, event: Event, *, version: str, now: datetime) -> bool:
    """Merge the visitor whom an event names into a person; return whether that changed anything.

    Doing it again changes nothing, so it needs no mark: it is done before the event is counted. Of the
    visitor nothing has to be known yet; what they do later then goes to the user.

    Cost: one read; for a visitor who is nobody's yet one transaction, of both records and the user's note of
    the visitor: two write units a KB.

    Raises
    ------
    Conflict
        Somebody else wrote one of both records.
    CorruptData
        The visitor's record can't be read.
    """
    if reason_to_ignore(event) is not None or event.visitor_key in ("", person.holder_key):
        return False
    visitor = profiles.load([event.visitor_key])[event.visitor_key]
    if visitor.merged_into or _is_erased(event, person.own, person.holder, visitor):
        return False
    if visitor.unreadable:
        raise CorruptData(visitor.unreadable)
    person.holder.profile = merge(person.holder.profile, visitor.profile)
    visitor.profile = forgotten(visitor.profile)
    visitor.merged_into = person.holder_key
    states = {person.holder_key: person.holder, event.visitor_key: visitor}
    profiles.save_together(states, version=version, now=now)
    return True


def _is_erased(event: Event, *states: UserState) -> bool:
    return is_forgotten(event, max(state.erased_at for state in states))


def _refuses(state: UserState) -> bool:
    """Whether somebody said that nothing may be learned of them."""
    word = state.profile.consent
    return word is not None and word.consent != Consent.PERSONALIZATION
