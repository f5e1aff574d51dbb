"""Changing one's mind about consent: at once in the profile, through the stream for all others.

Whoever takes back `personalization` is forgotten as if they had asked for erasure, but for the word itself:
it rests in the emptied profile, under the tombstone, and does not expire as long as it withholds anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from personalization.consent import EFFECTIVE_SECONDS, Standing, admitted, withdraws
from personalization.erasure import persons
from personalization.errors import Conflict, Unavailable
from personalization.events import Event, EventType
from personalization.names import Consent
from personalization.ports import ErasureQueue, ErasureRequest, EventStream, ProfileStore, UserState
from personalization.profiles import apply, at_seconds, forgotten

_ATTEMPTS: Final = 5
_MARGIN_SECONDS: Final = EFFECTIVE_SECONDS + 1
"""Until then a container may accept events that it should not: what they leave in the lake is erased as
well."""


def holds_more_than_the_word(state: UserState, default: Consent) -> bool:
    """Whether anything may rest anywhere under a user's key that they have to be asked for.

    Nothing does of who never consented: whoever declines in a shop that asks first costs no erasure.
    """
    return state.profile.standing(default).personal or bool(state.profile.last_at)


def forget_what_was_learned(
    user_key: str, state: UserState, profiles: ProfileStore, erasures: ErasureQueue, now: datetime
) -> None:
    """Leave the tombstone and the word in a state that is still to be saved; queue the rest of an erasure.

    Whoever was merged into the user is forgotten with them. Cost: a query a person, and a message.

    Raises
    ------
    Unavailable
        Not all of them are queued. Asking again is right, and harmless.
    """
    at = at_seconds(now) + _MARGIN_SECONDS
    for key in reversed(persons(user_key, profiles)):
        erasures.send(ErasureRequest(key, at))
    state.erased_at = max(state.erased_at, at)
    state.profile = forgotten(state.profile)


@dataclass(frozen=True, slots=True)
class ConsentDesk:
    """Takes down what users say, and tells what is in force."""

    profiles: ProfileStore
    stream: EventStream
    erasures: ErasureQueue
    default: Consent
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def change(self, user_key: str, consent: Consent) -> Standing:
        """Put another consent in force; the same again is harmless.

        The word goes to the stream first: should writing the profile fail, `update_profiles` writes it
        seconds later, and queues the erasure if there has to be one. Cost: a read, a put to the stream, a
        message when something has to be forgotten, a write; again for each write that came in between.

        Raises
        ------
        Unavailable
            A dependency is down. Asking again is right, and harmless.
        """
        state = self._load(user_key)
        word = self._word(user_key, state, consent)
        if self.stream.send([word]):
            raise Unavailable("the stream is busy")
        for _ in range(_ATTEMPTS):
            if withdraws(word) and holds_more_than_the_word(state, self.default):
                forget_what_was_learned(user_key, state, self.profiles, self.erasures, self.clock())
            apply(state.profile, word)
            try:
                self.profiles.save(user_key, state, version=self.new_id(), now=self.clock())
            except Conflict:
                state = self._load(user_key)
            else:
                return state.profile.standing(self.default)
        raise Unavailable("the profile is being written to all the time")

    def _load(self, user_key: str) -> UserState:
        state = self.profiles.load([user_key])[user_key]
        if state.unreadable:
            raise Unavailable(f"the profile can't be read: {state.unreadable}")
        return state

    def _word(self, user_key: str, state: UserState, consent: Consent) -> Event:
        """Make the event; of what somebody says here, the last counts, also within a second."""
        now, standing = self.clock(), state.profile.standing(self.default)
        at = datetime.fromtimestamp(max(at_seconds(now), standing.at + 1), UTC)
        event = Event(
            event_id=self.new_id(),
            event_type=EventType.CONSENT_CHANGED,
            occurred_at=at,
            received_at=max(now, at),
            user_key=user_key,
            consent=consent.value,
        )
        return admitted(event, standing, name=lambda _: event.event_id)
