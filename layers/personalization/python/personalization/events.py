"""Events and catalogue items: what clients may send, and the canonical form everything else reads.

A client's JSON becomes a `ClientEvent` (types and sizes checked while decoding, the rules between
fields by `accept`), and then an `Event`: pseudonymous, stamped with its arrival, times in UTC. Only
canonical events travel in the stream and rest in the lake.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from personalization.errors import InvalidEvent
from personalization.referrers import medium_of

MAX_BATCH_EVENTS: Final = 500
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_STORED_BYTES: Final = 4 * MAX_EVENT_BYTES
"""Room for what the canonical form adds, and for what JSON may escape."""
MAX_ID_BYTES: Final = 128
MAX_BODY_BYTES: Final = 5 * 1024 * 1024
MAX_REASON: Final = 200
"""Characters of a reason: it may quote what was sent, and 500 of them have to fit an answer of 6 MB."""
MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
LATEST_STORED: Final = datetime(2106, 1, 1, tzinfo=UTC)
"""Profiles hold seconds since 1970 in 32 bits."""

Identifier = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
SurfaceName = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}\Z")]
Instant = Annotated[datetime, Meta(tz=True)]


class EventType(StrEnum):
    """What happened. The order is part of the stored profile: append, never reorder."""

    IMPRESSION = "impression"
    VIEW = "view"
    CLICK = "click"
    DWELL = "dwell"
    LIKE = "like"
    DISLIKE = "dislike"
    NOT_INTERESTED = "not_interested"
    RATING = "rating"
    ADD_TO_CART = "add_to_cart"
    PURCHASE = "purchase"
    IDENTIFY = "identify"
    CONSENT_CHANGED = "consent_changed"
    USER_UPSERTED = "user_upserted"
    ITEM_UPSERTED = "item_upserted"


ABOUT_AN_ITEM: Final = frozenset(
    {
        EventType.VIEW,
        EventType.CLICK,
        EventType.DWELL,
        EventType.LIKE,
        EventType.DISLIKE,
        EventType.NOT_INTERESTED,
        EventType.RATING,
        EventType.ADD_TO_CART,
        EventType.PURCHASE,
    }
)
NEEDS_VALUE: Final = frozenset({EventType.DWELL, EventType.RATING})
DELIBERATE: Final = frozenset(
    {
        EventType.CLICK,
        EventType.ADD_TO_CART,
        EventType.PURCHASE,
        EventType.LIKE,
        EventType.DISLIKE,
        EventType.NOT_INTERESTED,
        EventType.RATING,
    }
)
"""Acts that make a user's list out of date. Impressions never do, or lists would refresh for ever."""


class Item(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A catalogue item."""

    item_id: Identifier
    title: Annotated[str, Meta(max_length=256)] | None = None
    text: Annotated[str, Meta(max_length=4096)] | None = None
    tags: Annotated[tuple[Label, ...], Meta(max_length=50)] = ()
    category: Label | None = None
    price: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    available: bool = True
    published_at: Instant | None = None


class Context(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Circumstances of an event; unknown keys are dropped.

    Attributes
    ----------
    referrer
        What a client sends: an address or a word; in a canonical event a `referrers.Medium`.
    """

    device: Label | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Za-z]{2}\Z")] | None = None
    language: Label | None = None
    referrer: Annotated[str, Meta(max_length=2048)] | None = None
    user_agent: Annotated[str, Meta(max_length=512)] | None = None


class _Body(Struct, kw_only=True, omit_defaults=True, frozen=True):
    schema_version: Literal[1] = 1
    event_id: Identifier
    event_type: EventType
    occurred_at: Instant
    item_id: Identifier | None = None
    item_ids: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=50)] | None = None
    value: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    session_id: Identifier | None = None
    recommendation_id: Annotated[str, Meta(max_length=2048)] | None = None
    surface: SurfaceName | None = None
    position: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    reason: Label | None = None
    consent: Literal["none", "functional", "personalization"] | None = None
    attributes: Annotated[dict[Label, Label], Meta(max_length=16)] | None = None
    context: Context = Context()


class ClientEvent(_Body, kw_only=True, omit_defaults=True, frozen=True):
    """An event as a client sends it.

    Attributes
    ----------
    visitor_token
        Of an `identify`: the guest token of the visitor who turned out to be this user.
    visitor_id
        Of an `identify` that a backend sends: the id that the user had before they signed in; a backend needs
        no proof.
    """

    user_id: Identifier
    visitor_token: Annotated[str, Meta(max_length=2048)] | None = None
    visitor_id: Identifier | None = None


class Event(_Body, kw_only=True, omit_defaults=True, frozen=True):
    """The canonical event of stream and lake.

    `user_key` is empty for `item_upserted`, which carries `item` instead. `bot` marks a crawler's
    event: it stays in the lake and never reaches a profile.

    Attributes
    ----------
    visitor_key
        Pseudonym of the visitor whom an `identify` says to be this user.
    anonymous
        Of somebody who agreed to no more than counting: there is no `user_key`.
    since
        `Profile.since` as it was known when the event was accepted; of a `consent_changed` that withdraws
        consent, what it is from then on.
    """

    received_at: Instant
    user_key: Annotated[str, Meta(max_length=128)] = ""
    item: Item | None = None
    bot: bool = False
    visitor_key: Annotated[str, Meta(max_length=128)] = ""
    anonymous: bool = False
    since: Annotated[int, Meta(ge=0, lt=2**32)] = 0

    @property
    def partition_key(self) -> str:
        """The stream's partition key: keeps each user's, and each item's, events in order."""
        return self.user_key or (f"anonymous:{self.event_id}" if self.anonymous else f"item:{self.item_id}")


_client_decoder = msgspec.json.Decoder(ClientEvent)
_event_decoder = msgspec.json.Decoder(Event)
_item_decoder = msgspec.json.Decoder(Item)
_encoder = msgspec.json.Encoder()


def decode_client_event(raw: bytes | msgspec.Raw) -> ClientEvent:
    """Parse one client event.

    Raises
    ------
    InvalidEvent
        `too_large`, `invalid_json` or `invalid_field`, with the field's path in the reason.
    """
    return _decode(_client_decoder, raw)


def decode_item(raw: bytes | msgspec.Raw) -> Item:
    """Parse one catalogue item; raises as `decode_client_event` does."""
    item = _decode(_item_decoder, raw)
    _check_id_bytes(item.item_id)
    if item.published_at is not None and not EARLIEST <= item.published_at <= LATEST:
        raise InvalidEvent("invalid_field", "published_at lies between 1990 and 2200 - at `$.published_at`")
    return item


def decode_event(raw: bytes | msgspec.Raw) -> Event:
    """Parse one canonical event of the stream or the lake; raises as `decode_client_event` does."""
    event = _decode(_event_decoder, raw, MAX_STORED_BYTES)
    if event.occurred_at < EARLIEST or max(event.occurred_at, event.received_at) >= LATEST_STORED:
        raise InvalidEvent("invalid_field", "an event's times lie between 1990 and 2106 - at `$.occurred_at`")
    return event


def encode_event(event: Event) -> bytes:
    """Canonical JSON: fields in order of definition, defaults left out."""
    return _encoder.encode(event)


def _decode[T](decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw, limit: int = MAX_EVENT_BYTES) -> T:
    if memoryview(raw).nbytes > limit:
        raise InvalidEvent("too_large", f"the event is larger than {limit} bytes")
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidEvent("invalid_field", _shortened(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidEvent("invalid_json", "the event is not valid JSON") from None


def _shortened(reason: str) -> str:
    """Cut the middle out of a long reason: it begins with what is wrong, and ends with the field's path."""
    half = MAX_REASON // 2
    return reason if len(reason) <= MAX_REASON else f"{reason[: half - 1]}…{reason[-half:]}"


def accept(
    event: ClientEvent,
    *,
    user_key: str,
    received_at: datetime,
    visitor_key: str = "",
    is_bot: Callable[[str], bool] = lambda _: False,
    sent_by_bot: bool = False,
) -> Event:
    """Turn a client's event into the canonical one, or refuse it.

    The user agent is looked at and dropped: it is close to a fingerprint. Of a referrer its medium
    stays.

    Raises
    ------
    InvalidEvent
        `missing_field`, `unexpected_field`, `forbidden_type`, `occurred_in_future`,
        `occurred_too_early`.
    """
    _check_fields(event)
    _check_visitor(event)
    if event.occurred_at > received_at + MAX_CLOCK_SKEW:
        raise InvalidEvent("occurred_in_future", "occurred_at lies more than 5 minutes in the future")
    if event.occurred_at < EARLIEST:
        raise InvalidEvent("occurred_too_early", "occurred_at lies before 1990")
    occurred_at = event.occurred_at.astimezone(UTC)
    context = event.context
    bot = sent_by_bot or (context.user_agent is not None and is_bot(context.user_agent))
    medium = None if context.referrer is None else medium_of(context.referrer)
    if context.user_agent is not None or context.referrer != medium:
        context = msgspec.structs.replace(context, user_agent=None, referrer=medium)
    body = {name: getattr(event, name) for name in _Body.__struct_fields__}
    body |= {"occurred_at": min(occurred_at, received_at), "context": context}
    return Event(**body, user_key=user_key, received_at=received_at, bot=bot, visitor_key=visitor_key)


def upsert_item(item: Item, *, event_id: str, received_at: datetime) -> Event:
    """Build the `item_upserted` event that carries a catalogue item."""
    return Event(
        event_id=event_id,
        event_type=EventType.ITEM_UPSERTED,
        occurred_at=received_at,
        received_at=received_at,
        item_id=item.item_id,
        item=item,
    )


def _check_fields(event: ClientEvent) -> None:
    kind = event.event_type
    if kind is EventType.ITEM_UPSERTED:
        raise InvalidEvent("forbidden_type", "send catalogue items with PUT /v1/items")
    if (event.item_ids is not None) != (kind is EventType.IMPRESSION):
        raise _field_error(kind, "item_ids", event.item_ids is None)
    if (event.item_id is not None) != (kind in ABOUT_AN_ITEM):
        raise _field_error(kind, "item_id", event.item_id is None)
    for item_id in event.item_ids or (event.item_id or "",):
        _check_id_bytes(item_id)
    if event.value is None and kind in NEEDS_VALUE:
        raise _field_error(kind, "value", missing=True)
    if (event.consent is not None) != (kind is EventType.CONSENT_CHANGED):
        raise _field_error(kind, "consent", event.consent is None)
    if event.attributes is None and kind is EventType.USER_UPSERTED:
        raise _field_error(kind, "attributes", missing=True)
    if kind is EventType.RATING and event.value is not None and event.value > 10:
        raise InvalidEvent("invalid_field", "a rating's value lies between 0 and 10 - at `$.value`")


def _check_visitor(event: ClientEvent) -> None:
    if event.visitor_id is not None and event.event_type is not EventType.IDENTIFY:
        raise _field_error(event.event_type, "visitor_id", missing=False)
    if event.visitor_id == event.user_id:
        raise InvalidEvent("invalid_field", "a visitor is somebody else than the user - at `$.visitor_id`")


def _check_id_bytes(item_id: str) -> None:
    """Bound an id in bytes, too: profiles hold dozens of them."""
    if not item_id.isascii() and len(item_id.encode()) > MAX_ID_BYTES:
        raise InvalidEvent("invalid_field", f"an item id has at most {MAX_ID_BYTES} bytes in UTF-8")


def _field_error(kind: EventType, field: str, missing: bool) -> InvalidEvent:
    if missing:
        return InvalidEvent("missing_field", f"an event of type {kind} needs `{field}`")
    return InvalidEvent("unexpected_field", f"an event of type {kind} has no `{field}`")
