"""What each day's records were like, counted while the lake is read: the source of the data checks.

A day is that of an event's receipt, or, of a record that is none, of its arrival (UTC).
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import msgspec

from personalization.archiving import LakeLine
from personalization.events import Event
from training.sources import READ, REPEATED, UNREADABLE

MAX_VALUES: Final = 64
"""Values of a trait counted by name a day; clients send them, and there may be any number."""
OTHER: Final = "(other)"
UNKNOWN: Final = "(unknown)"


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
    """

    events: int = 0
    duplicates: int = 0
    repeated: int = 0
    unreadable: int = 0
    traits: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)

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
            ("country", (context.country or UNKNOWN).upper()),
        ):
            counts = day.traits.setdefault(trait, {})
            name = value if value in counts or len(counts) < MAX_VALUES else OTHER
            counts[name] = counts.get(name, 0) + 1

    def duplicate(self, event: Event) -> None:
        """Count an event, counted already, as one its user had sent before."""
        self._day(event.received_at).duplicates += 1

    def prune(self, first: date) -> None:
        """Forget the days before."""
        self.days = {day: counts for day, counts in self.days.items() if day >= first}

    def _day(self, moment: datetime) -> Day:
        return self.days.setdefault(moment.date(), Day())
