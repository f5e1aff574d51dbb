"""What each day's records were like, counted while the lake is read: the source of the data checks.

A day is that of an event's receipt, or, of a record that is none, of its arrival (UTC).
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import msgspec

from personalization.archiving import LakeLine
from personalization.errors import InvalidToken
from personalization.events import Event, EventType
from personalization.tokens import read
from training.sources import READ, REPEATED, UNREADABLE

MAX_VALUES: Final = 64
"""Values of a trait counted by name a day; clients send them, and there may be any number."""
MAX_VERSIONS: Final = 8
"""Model versions counted a day: two or three serve, and receipts are not verified here."""
MAX_PLACES: Final = 200
OTHER: Final = "(other)"
UNKNOWN: Final = "(unknown)"

_EXPOSING: Final = (EventType.IMPRESSION, EventType.CLICK)


class Exposure(msgspec.Struct):
    """Impressions and clicks by place in the list, from the first on."""

    impressions: list[int] = []
    clicks: list[int] = []

    def count(self, place: int, *, clicked: bool) -> None:
        """Count one item shown, or clicked, at a place."""
        for counts in (self.impressions, self.clicks):
            counts.extend([0] * (place + 1 - len(counts)))
        (self.clicks if clicked else self.impressions)[place] += 1

    def add(self, other: "Exposure") -> None:
        """Add up, in place."""
        for mine, others in ((self.impressions, other.impressions), (self.clicks, other.clicks)):
            mine.extend([0] * (len(others) - len(mine)))
            for place, count in enumerate(others):
                mine[place] += count


class Day(msgspec.Struct):
    """One day's counts.

    Attributes
    ----------
    events
        Of users, each record once.
    duplicates
        Events whose id their user had sent before.
    repeated, unreadable
        Records that the lake holds twice, and such as are no event.
    traits
        Trait (`event type`, `hour`, `device`, `country`) -> value -> events.
    shown
        Model version -> what was shown of its lists, and clicked.
    """

    events: int = 0
    duplicates: int = 0
    repeated: int = 0
    unreadable: int = 0
    traits: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    shown: dict[str, Exposure] = msgspec.field(default_factory=dict)

    @property
    def records(self) -> int:
        """Records that are told from each other."""
        return self.events + self.unreadable


class Statistics:
    """Counts by day."""

    def __init__(self, days: Mapping[date, Day] | None = None) -> None:
        self.days = dict(days or {})

    def record(self, line: LakeLine, what: str) -> None:
        """Count a record that is no new event; those that are count with `event`."""
        if what != READ:
            day = self._day(line.arrived_at)
            day.repeated += what == REPEATED
            day.unreadable += what == UNREADABLE

    def event(self, event: Event) -> None:
        """Count a user's event."""
        day = self._day(event.received_at)
        day.events += 1
        context = event.context
        for trait, value in (
            ("event type", event.event_type.value),
            ("hour", f"{event.received_at.hour:02}"),
            ("device", context.device or UNKNOWN),
            ("country", context.country.upper() if context.country else UNKNOWN),
        ):
            counts = day.traits.setdefault(trait, {})
            name = value if value in counts or len(counts) < MAX_VALUES else OTHER
            counts[name] = counts.get(name, 0) + 1

    def exposure(self, event: Event) -> None:
        """Count what an impression or a click tells of a list, by the places its receipt names."""
        if event.bot or event.recommendation_id is None or event.event_type not in _EXPOSING:
            return
        try:
            receipt = read(event.recommendation_id, user_key=event.user_key)
        except InvalidToken:
            return
        versions = self._day(event.received_at).shown
        if receipt.model_version not in versions and len(versions) >= MAX_VERSIONS:
            return
        exposure = versions.setdefault(receipt.model_version, Exposure())
        clicked = event.event_type is EventType.CLICK
        for item_id in event.item_ids or ((event.item_id,) if event.item_id else ()):
            place = receipt.place_of(item_id)
            if place is not None and 0 <= place < MAX_PLACES:
                exposure.count(place, clicked=clicked)

    def duplicate(self, event: Event) -> None:
        """Count an event, counted already, as one its user had sent before."""
        self._day(event.received_at).duplicates += 1

    def prune(self, first: date) -> None:
        """Forget the days before."""
        self.days = {day: counts for day, counts in self.days.items() if day >= first}

    def _day(self, moment: datetime) -> Day:
        return self.days.setdefault(moment.date(), Day())
