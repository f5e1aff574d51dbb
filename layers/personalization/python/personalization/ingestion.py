"""Taking events in: one bad event never costs a good one its place.

Every event of a request ends in exactly one of two lists: accepted (in the stream) or rejected (with
its index, a stable code and a reason).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import msgspec

from personalization.consent import admitted
from personalization.consent_cache import ConsentCache
from personalization.errors import InvalidEvent, InvalidInput
from personalization.events import (
    MAX_BATCH_EVENTS,
    MAX_BODY_BYTES,
    ClientEvent,
    Event,
    accept,
    decode_client_event,
    decode_item,
    upsert_item,
)
from personalization.identification import no_guest, visitor_of
from personalization.ports import EventStream


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why the event at `index` of the request was refused."""

    index: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a batch: accepted + len(rejected) = sent.

    Attributes
    ----------
    anonymous
        Of those accepted, how many name nobody and so reach no profile.
    """

    accepted: int
    rejected: list[Rejection]
    anonymous: int = 0

    @property
    def throttled(self) -> bool:
        """Whether nothing was taken, and only because the stream is busy."""
        return not self.accepted and all(row.code == "stream_busy" for row in self.rejected)


_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def split_batch(body: bytes, *, field: str) -> list[msgspec.Raw]:
    """Cut a request body into the raw JSON of its entries, without parsing them.

    A body is one object, an array of objects, or ``{field: [objects]}``.

    Raises
    ------
    InvalidInput
        `body_too_large`, `invalid_json`, `empty_batch` or `too_many_events`.
    """
    if len(body) > MAX_BODY_BYTES:
        raise InvalidInput("body_too_large", f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        if body.lstrip()[:1] == b"[":
            entries = _raw_list.decode(body)
        else:
            wrapped = _raw_object.decode(body)
            entries = _raw_list.decode(wrapped[field]) if field in wrapped else [msgspec.Raw(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("invalid_json", "the body is not a JSON object or array of objects") from None
    if not entries:
        raise InvalidInput("empty_batch", "the body holds no entries")
    if len(entries) > MAX_BATCH_EVENTS:
        raise InvalidInput("too_many_events", f"a request holds at most {MAX_BATCH_EVENTS} entries")
    return entries


def ingest_events(
    body: bytes,
    *,
    stream: EventStream,
    consents: ConsentCache,
    user_key: Callable[[str], str],
    is_bot: Callable[[str], bool],
    received_at: datetime,
    sent_by_bot: bool = False,
    caller: str | None = None,
    guest_of: Callable[[str], str] = no_guest,
) -> Receipt:
    """Validate a batch of client events and append the good ones to the stream, as far as consent lets them.

    Crawlers are told by the user agent in an event's context, and by the request's own if it is a crawler's;
    an HTTP library's says nothing, for a backend reports its users' events with one. Cost: linear in events,
    one keyed digest per distinct user, visitor and anonymous event, one read per 100 distinct users whose
    consent was not read lately, one stream call per 500 events.

    Parameters
    ----------
    caller
        The user whom an app acts for, and nobody else; None: a backend, which acts for everybody.
    guest_of
        Reads the id of a guest from a token, or raises `InvalidToken`.

    Raises
    ------
    Unavailable
        It can't be told who consented: nothing was taken.
    """
    entries = split_batch(body, field="events")
    key_of = cache(user_key)

    def parse(raw: msgspec.Raw) -> Event:
        event: ClientEvent = decode_client_event(raw)
        if caller not in (None, event.user_id):
            raise InvalidEvent("not_your_user", "the token is another user's")
        visitor = visitor_of(event, by_app=caller is not None, guest_of=guest_of)
        return accept(
            event,
            user_key=key_of(event.user_id),
            visitor_key=key_of(visitor) if visitor else "",
            received_at=received_at,
            is_bot=is_bot,
            sent_by_bot=sent_by_bot,
        )

    parsed, rejected = _each(enumerate(entries), parse)
    standings = consents.of({event.user_key for _, event in parsed}, received_at)

    def admit(event: Event) -> Event:
        """Judge an event by what its user said last, be it in this very batch."""
        user = event.user_key
        # No user id holds a line feed: no event has the name of a user.
        kept = admitted(event, standings[user], name=lambda text: user_key(f"{user}\n{text}"))
        if kept.consent is not None:
            standings[user] = standings[user].after(kept)
            consents.hear(user, standings[user], received_at)
        return kept

    good, withheld = _each(parsed, admit)
    return _send(good, rejected + withheld, stream)


def ingest_items(
    body: bytes, *, stream: EventStream, new_id: Callable[[], str], received_at: datetime
) -> Receipt:
    """Validate a batch of catalogue items and append them to the stream as `item_upserted` events."""

    def parse(raw: msgspec.Raw) -> Event:
        return upsert_item(decode_item(raw), event_id=new_id(), received_at=received_at)

    return _send(*_each(enumerate(split_batch(body, field="items")), parse), stream)


def _each[T](
    entries: Iterable[tuple[int, T]], step: Callable[[T], Event]
) -> tuple[list[tuple[int, Event]], list[Rejection]]:
    """Take each entry one step on; return those that were, and those that were not, by their index."""
    good: list[tuple[int, Event]] = []
    rejected: list[Rejection] = []
    for index, entry in entries:
        try:
            good.append((index, step(entry)))
        except InvalidEvent as error:
            rejected.append(Rejection(index, error.code, error.reason))
    return good, rejected


def _send(good: Sequence[tuple[int, Event]], rejected: Sequence[Rejection], stream: EventStream) -> Receipt:
    refused = set(stream.send([event for _, event in good]))
    busy = [
        Rejection(good[place][0], "stream_busy", "the stream is busy; send this event again")
        for place in refused
    ]
    anonymous = sum(event.anonymous for place, (_, event) in enumerate(good) if place not in refused)
    rows = sorted([*rejected, *busy], key=lambda row: row.index)
    return Receipt(len(good) - len(refused), rows, anonymous)
