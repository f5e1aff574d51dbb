"""The profile of one user, and the one reducer that makes it.

`apply` is the only definition of a profile: live events, replays of the lake and bulk imports all
go through it. Its result does not depend on the order of events: every part is a sum of integers,
a maximum, or "the n entries with the greatest (time, key)", which stays the same whichever subset was
trimmed on the way. A count per item could not be trimmed so: impressions are kept themselves, one entry an
item and hour. So profiles are trimmed lazily and exactly, and live equals rebuilt, byte for byte
(`personalization.profile_encoding`).

Times are whole seconds since 1970 (UTC). Events of one user in the same second are ordered by key.
Items that only filter or count are kept as CRC-32 of their id: 8 bytes instead of about 20; two
items of one user collide with probability 6e-8 per pair.
"""

import heapq
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from personalization.consent import Standing, Word, begins_at, withdraws
from personalization.events import DELIBERATE, Event, EventType
from personalization.names import Consent
from personalization.referrers import medium_of

LATE_WINDOW: Final = timedelta(days=7)
"""An event accepted later than this after it happened goes to the lake only."""

MAX_RECENT: Final = 64
MAX_OWNED: Final = 200
MAX_SHOWN: Final = 64
SHOWN_HOURS: Final = 30 * 24
MAX_DISLIKED: Final = 50
MAX_DAYS: Final = 30
MAX_SURFACES: Final = 4
MAX_ATTRIBUTES: Final = 8
SLACK: Final = 2
"""A part is trimmed in memory when it is this many times its bound: trimming costs O(1) an event."""

CODES: Final = {kind: code for code, kind in enumerate(EventType)}
KINDS: Final = tuple(EventType)
POSITIVE: Final = frozenset(
    {
        EventType.VIEW,
        EventType.CLICK,
        EventType.DWELL,
        EventType.LIKE,
        EventType.RATING,
        EventType.ADD_TO_CART,
        EventType.PURCHASE,
    }
)
OWNING: Final = frozenset({EventType.RATING, EventType.PURCHASE})
AVERSE: Final = frozenset({EventType.DISLIKE, EventType.NOT_INTERESTED})

Touch = tuple[int, int, int]
"""(at, code of the event type, value in tenths: rating or dwell seconds, else 0)."""


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    BOT = "bot"
    LATE = "late"
    DUPLICATE = "duplicate"
    ERASED = "erased"
    WITHDRAWN = "withdrawn"


class Facts(NamedTuple):
    """What a first request tells of a visitor, the most telling first; None is unknown.

    Attributes
    ----------
    country
        ISO 3166 code of two capital letters.
    referrer
        A `referrers.Medium`.
    """

    country: str | None = None
    device: str | None = None
    referrer: str | None = None

    @classmethod
    def of(cls, country: str | None, device: str | None, referrer: str | None) -> "Facts":
        """Normalize what a client says.

        >>> Facts.of("de", "", "https://duckduckgo.com/?q=lamp")
        Facts(country='DE', device=None, referrer=<Medium.SEARCH: 'search'>)
        """
        medium = None if referrer is None else medium_of(referrer)
        return cls(country.upper() if country else None, device or None, medium)


NO_FACTS: Final = Facts()


class Profile(Struct):
    """What is known of one user.

    Attributes
    ----------
    first_at, last_at
        First and last time anything happened; 0 for an empty profile.
    revision
        Number of deliberate acts applied: a list built from an older revision is out of date.
    totals
        Events applied, by event type code.
    spent_cents
        Sum of the purchases' values.
    recent
        Item -> latest positive act. At most `MAX_RECENT`, the newest.
    owned
        Item hash -> when it was last bought or rated.
    shown
        (hour since 1970, item hash): the hours in which items were shown. At most `MAX_SHOWN`, the newest, of
        the last `SHOWN_HOURS` hours.
    disliked
        Item -> when it was last disliked or dismissed.
    days
        Day since 1970 -> [impressions, other events, purchases], of the last `MAX_DAYS` days.
    surfaces
        Surface -> when it was last seen.
    attributes
        Name (country, device, referrer, …) -> (at, value), the latest word wins.
    consent
        The latest word, or None: what it says is stored, and obeyed by whoever reads (`standing`).
    since
        When consent was taken back last, in seconds since 1970, or 0: of events accepted before knowing of
        that, nothing is left.
    """

    first_at: int = 0
    last_at: int = 0
    revision: int = 0
    spent_cents: int = 0
    totals: list[int] = msgspec.field(default_factory=lambda: [0] * len(KINDS))
    recent: dict[str, Touch] = msgspec.field(default_factory=dict)
    owned: dict[int, int] = msgspec.field(default_factory=dict)
    shown: set[tuple[int, int]] = msgspec.field(default_factory=set)
    disliked: dict[str, int] = msgspec.field(default_factory=dict)
    days: dict[int, list[int]] = msgspec.field(default_factory=dict)
    surfaces: dict[str, int] = msgspec.field(default_factory=dict)
    attributes: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    consent: Word | None = None
    since: int = 0

    def attribute(self, name: str) -> str | None:
        """Return the latest value of an attribute, or None."""
        entry = self.attributes.get(name)
        return entry[1] if entry else None

    @property
    def facts(self) -> Facts:
        """The latest facts."""
        return Facts.of(*map(self.attribute, Facts._fields))

    def standing(self, default: Consent) -> Standing:
        """Return what is in force; `default` for who never said anything."""
        if self.consent is None:
            return Standing(default)
        return Standing(Consent(self.consent.consent), self.consent.at, self.since)


def item_hash(item_id: str) -> int:
    """CRC-32 of the item id, as kept in `Profile.owned` and `Profile.shown`.

    >>> item_hash("sku-1")
    3082415470
    """
    return crc32(item_id.encode())


def apply(profile: Profile, event: Event) -> Outcome:
    """Fold one event into the profile, in place.

    Order-free: any order of the same set of events ends in the same `encode(profile)`. Events of bots, events
    later than `LATE_WINDOW`, and such as were accepted before consent was taken back, change nothing. A
    `consent_changed` counts whoever sent it, however late and often. Other duplicates are the caller's to
    drop (`personalization.ledger`). Amortized cost O(1) an event, O(slate) an impression.
    """
    if event.event_type is EventType.CONSENT_CHANGED:
        return _hear(profile, event)
    if (ignored := reason_to_ignore(event)) is not None:
        return ignored
    if event.since < profile.since:
        return Outcome.WITHDRAWN
    if event.since > profile.since:
        _begin_anew(profile, event.since)
    at = int(event.occurred_at.timestamp())
    kind = event.event_type
    profile.first_at = min(profile.first_at, at) if profile.last_at else at
    profile.last_at = max(profile.last_at, at)
    profile.totals[CODES[kind]] += 1
    profile.revision += kind in DELIBERATE
    _count_day(profile, at, kind)
    _note_circumstances(profile, at, event)
    if kind is EventType.IMPRESSION:
        _note_slate(profile, at, event.item_ids or ())
    elif event.item_id is not None:
        _note_act(profile, at, event, event.item_id)
    return Outcome.APPLIED


def reason_to_ignore(event: Event) -> Outcome | None:
    """Return why an event never reaches a profile; None if it does."""
    if event.bot:
        return Outcome.BOT
    if event.received_at - event.occurred_at > LATE_WINDOW:
        return Outcome.LATE
    return None


def forgotten(profile: Profile) -> Profile:
    """Return what is left of a profile whose user is forgotten: the word that has to be honoured."""
    return Profile(consent=profile.consent, since=profile.since)


def _hear(profile: Profile, event: Event) -> Outcome:
    """Take in a word; one that withdraws consent ends the profile, be it overruled by a later one."""
    if event.consent is not None:
        word = Word(int(event.occurred_at.timestamp()), event.consent)
        profile.consent = max(filter(None, (profile.consent, word)), key=lambda one: one.rank)
    if withdraws(event) and begins_at(event) > profile.since:
        _begin_anew(profile, begins_at(event))
    return Outcome.APPLIED


def _begin_anew(profile: Profile, since: int) -> None:
    fresh = Profile(consent=profile.consent, since=since)
    for name in Profile.__struct_fields__:
        setattr(profile, name, getattr(fresh, name))


def _count_day(profile: Profile, at: int, kind: EventType) -> None:
    counts = profile.days.setdefault(at // 86_400, [0, 0, 0])
    if kind is EventType.IMPRESSION:
        counts[0] += 1
    else:
        counts[1] += 1
        counts[2] += kind is EventType.PURCHASE
    if len(profile.days) > MAX_DAYS * SLACK:
        profile.days = _last_days(profile.days)


def _note_circumstances(profile: Profile, at: int, event: Event) -> None:
    if event.surface is not None:
        _keep_latest(profile.surfaces, event.surface, at)
        profile.surfaces = _bounded(profile.surfaces, MAX_SURFACES)
    context = event.context
    if context.country is not None:
        _note_attribute(profile, at, "country", context.country.upper())
    if context.device is not None:
        _note_attribute(profile, at, "device", context.device)
    # Events that were accepted before the medium was told still carry an address.
    if context.referrer is not None and (medium := medium_of(context.referrer)):
        _note_attribute(profile, at, "referrer", medium.value)
    if event.attributes:
        for name, value in event.attributes.items():
            _note_attribute(profile, at, name, value)


def _note_attribute(profile: Profile, at: int, name: str, value: str) -> None:
    known = profile.attributes.get(name)
    if known is None or (at, value) > known:
        profile.attributes[name] = (at, value)
        profile.attributes = _bounded(profile.attributes, MAX_ATTRIBUTES)


def _note_slate(profile: Profile, at: int, item_ids: tuple[str, ...]) -> None:
    profile.shown.update((at // 3_600, item_hash(item_id)) for item_id in item_ids)
    if len(profile.shown) > MAX_SHOWN * SLACK:
        profile.shown = _last_shown(profile.shown)


def _note_act(profile: Profile, at: int, event: Event, item_id: str) -> None:
    kind = event.event_type
    if kind in POSITIVE:
        tenths = round((event.value or 0) * 10) if kind in (EventType.RATING, EventType.DWELL) else 0
        touch = (at, CODES[kind], min(tenths, 0xFFFF))
        known = profile.recent.get(item_id)
        if known is None or touch > known:
            profile.recent[item_id] = touch
            profile.recent = _bounded(profile.recent, MAX_RECENT)
    if kind in OWNING:
        _keep_latest(profile.owned, item_hash(item_id), at)
        profile.owned = _bounded(profile.owned, MAX_OWNED)
    if kind is EventType.PURCHASE:
        profile.spent_cents += round((event.value or 0) * 100)
    elif kind in AVERSE:
        _keep_latest(profile.disliked, item_id, at)
        profile.disliked = _bounded(profile.disliked, MAX_DISLIKED)


def _keep_latest[K](entries: dict[K, int], key: K, at: int) -> None:
    known = entries.get(key)
    if known is None or at > known:
        entries[key] = at


def _bounded[K, V](entries: dict[K, V], bound: int) -> dict[K, V]:
    return entries if len(entries) <= bound * SLACK else _newest(entries, bound)


def _newest[K, V](entries: Mapping[K, V], bound: int) -> dict[K, V]:
    """The `bound` entries with the greatest (value, key), newest first; a value starts with its time."""
    rows: list[tuple[K, V]] = list(entries.items())
    if len(rows) > bound:
        rows = heapq.nlargest(bound, rows, key=_by_time)
    else:
        rows.sort(key=_by_time, reverse=True)
    return dict(rows)


def _by_time[K, V](row: tuple[K, V]) -> tuple[V, K]:
    return row[1], row[0]


def _last_days(days: Mapping[int, list[int]]) -> dict[int, list[int]]:
    last = max(days, default=0)
    return {day: days[day] for day in sorted(days, reverse=True) if day > last - MAX_DAYS}


def _last_shown(shown: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    newest = heapq.nlargest(MAX_SHOWN, shown)
    return {entry for entry in newest if entry[0] > newest[0][0] - SHOWN_HOURS}


def latest(profile: Profile) -> Profile:
    """Return the profile with every part cut to its bound and ordered newest first."""
    return msgspec.structs.replace(
        profile,
        recent=_newest(profile.recent, MAX_RECENT),
        owned=_newest(profile.owned, MAX_OWNED),
        shown=_last_shown(profile.shown),
        disliked=_newest(profile.disliked, MAX_DISLIKED),
        surfaces=_newest(profile.surfaces, MAX_SURFACES),
        attributes=_newest(profile.attributes, MAX_ATTRIBUTES),
        days=_last_days(profile.days),
    )


def segment_of(facts: Facts) -> str:
    """Name the segment of visitors of whom this is known.

    >>> segment_of(Facts("DE", referrer="search")), segment_of(NO_FACTS)
    ('country=DE,referrer=search', 'everybody')
    """
    known = (f"{name}={fact}" for name, fact in zip(Facts._fields, facts, strict=True) if fact)
    return ",".join(known) or "everybody"


def at_seconds(moment: datetime) -> int:
    """Whole seconds since 1970 of an aware datetime."""
    return int(moment.astimezone(UTC).timestamp())
