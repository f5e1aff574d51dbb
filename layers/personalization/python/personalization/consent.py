"""What a person agreed to, and what becomes of their events by it.

| consent           | what of an event enters the stream                                             |
| ----------------- | ------------------------------------------------------------------------------ |
| `personalization` | all of it, under the user's key                                                |
| `functional`      | that something happened to an item, under a key of its own that names nobody   |
| `none`            | nothing                                                                        |

The word itself, `consent_changed`, enters whatever it says, and nothing else with it: it has to be known to
be honoured. Taking back `personalization` begins the user's profile anew: from then on it consists of events
that were accepted knowing of it (`Event.since`), in whatever order events arrive (docs/decisions/0070).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from personalization.errors import InvalidEvent, InvalidInput
from personalization.events import ABOUT_AN_ITEM, Event, EventType
from personalization.names import Consent

COUNTED: Final = ABOUT_AN_ITEM | {EventType.IMPRESSION}
"""What trends are made of; any other event says something of a person only."""
EFFECTIVE_SECONDS: Final = 5
"""So long may a container that takes events in go by what it read of a user's consent."""
_STRICTNESS: Final = {consent: rank for rank, consent in enumerate(Consent)}


class Word(NamedTuple):
    """What somebody said; of two words the later counts, of two of one second the stricter.

    Attributes
    ----------
    at
        Seconds since 1970.
    """

    at: int
    consent: str

    @property
    def rank(self) -> tuple[int, int]:
        """By which words are ordered."""
        return self.at, _STRICTNESS[Consent(self.consent)]


class Standing(NamedTuple):
    """What is in force for a user.

    Attributes
    ----------
    at
        Seconds since 1970 of the word that it rests on; 0 for who said nothing: then it is the default.
    since
        `Profile.since`.
    """

    consent: Consent
    at: int = 0
    since: int = 0

    @property
    def personal(self) -> bool:
        """Whether anything may be kept or used under the user's key, but for the word itself."""
        return self.consent is Consent.PERSONALIZATION

    def after(self, event: Event) -> "Standing":
        """Return what is in force after a word as `admitted` returns it; any other event changes nothing."""
        if event.consent is None:
            return self
        word = Word(int(event.occurred_at.timestamp()), event.consent)
        since = max(self.since, event.since)
        if self.at and word.rank <= Word(self.at, self.consent).rank:
            return self._replace(since=since)
        return Standing(Consent(word.consent), word.at, since)


def admitted(event: Event, standing: Standing, *, name: Callable[[str], str]) -> Event:
    """Return what of a user's event may enter the stream.

    Parameters
    ----------
    name
        Gives an id for what tells an event from others of its user: a digest under a secret key. An event
        that names nobody has such a one, and a word: it has to count under whatever id it was sent.

    Raises
    ------
    InvalidEvent
        `no_consent`.
    """
    if event.event_type is EventType.CONSENT_CHANGED:
        return _word(event, standing, name(f"{event.event_id}\n{event.consent}\n{event.occurred_at}"))
    if standing.personal:
        return replace(event, since=standing.since) if standing.since else event
    if standing.consent is Consent.FUNCTIONAL and event.event_type in COUNTED:
        return _anonymous(event, name(event.event_id))
    raise InvalidEvent("no_consent", "the user has not consented to this event being kept")


class ConsentChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What a user agrees to from now on."""

    consent: Consent


_decoder = msgspec.json.Decoder(ConsentChange)


def parse_consent(body: bytes) -> Consent:
    """Read the body of a request to change a consent.

    Raises
    ------
    InvalidInput
        `invalid_json` or `invalid_field`.

    >>> parse_consent(b'{"consent": "functional"}')
    <Consent.FUNCTIONAL: 'functional'>
    """
    try:
        return _decoder.decode(body).consent
    except msgspec.ValidationError:
        known = ", ".join(Consent)
        raise InvalidInput("invalid_field", f"the body is an object with consent, one of {known}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("invalid_json", "the body is not a JSON object") from None


def withdraws(event: Event) -> bool:
    """Whether an event takes back, or withholds, the consent to personalization."""
    return event.consent is not None and Consent(event.consent) is not Consent.PERSONALIZATION


def begins_at(event: Event) -> int:
    """Return `Profile.since` after a word that withdraws: past all that was received within its second."""
    return event.since or int(event.received_at.timestamp()) + 1


def _word(event: Event, standing: Standing, event_id: str) -> Event:
    since = max(begins_at(event), standing.since + 1) if withdraws(event) else 0
    return Event(
        event_id=event_id,
        event_type=event.event_type,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        user_key=event.user_key,
        consent=event.consent,
        since=since,
    )


def _anonymous(event: Event, event_id: str) -> Event:
    """Keep what happened to items. Times are to the minute: alike ones told the events of a visit."""
    return Event(
        event_id=event_id,
        event_type=event.event_type,
        occurred_at=_minute(event.occurred_at),
        received_at=_minute(event.received_at),
        item_id=event.item_id,
        item_ids=event.item_ids,
        value=event.value,
        surface=event.surface,
        bot=event.bot,
        anonymous=True,
    )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
