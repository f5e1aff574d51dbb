"""What an event counts for: one definition, for the live metrics and for the analysis of the lake alike.

An event counts through the receipt it brings back, and only where all of this holds:

- its receipt is signed, was issued to the event's own user, and is at most `tokens.TOKEN_LIFETIME`, 7 days,
  old when the event arrives: the window of a click and of a purchase alike;
- it names an item that the receipt says was shown;
- it is the first of its type for that item of that list, as far as `ledger.CreditedItems` remembers;
- it was not sent by a bot, and not accepted later than `profiles.LATE_WINDOW` after it happened: nothing
  that leaves a profile untouched counts.

| event      | metric                   | value                                                    |
| ---------- | ------------------------ | -------------------------------------------------------- |
| impression | `Impressions`            | 1 an item of the slate                                   |
| click      | `Clicks`                 | 1                                                        |
| dwell      | `Dwell`                  | the event's `value`, seconds, at most `MAX_DWELL_SECONDS` |
| purchase   | `Conversions`, `Revenue` | 1, and the event's `value`                               |

A purchase's value is what was paid for the whole line, price times quantity, in the shop's one currency; a
purchase without a value converts and brings in 0.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from personalization.errors import InvalidToken
from personalization.events import Event, EventType
from personalization.experiments import Assignment
from personalization.ledger import CreditedItems
from personalization.names import Metric, Surface
from personalization.profiles import LATE_WINDOW
from personalization.tokens import Keys, Receipt, verify

MAX_DWELL_SECONDS: Final = 30 * 60.0
"""A page left open is not read; half an hour without an act ends a session by the field's convention."""

COUNTED: Final = frozenset({EventType.IMPRESSION, EventType.CLICK, EventType.DWELL, EventType.PURCHASE})


class Credit(NamedTuple):
    """One item that a user saw or acted on, and the list it came from.

    Attributes
    ----------
    surface
        As the request named it; `surface_of` maps it to those that metrics tell apart.
    at
        When the event arrived.
    value
        Seconds of a dwell, revenue of a purchase, 1 otherwise.
    """

    user_key: str
    event_type: EventType
    item_id: str
    list_id: str
    surface: str
    assignments: tuple[Assignment, ...]
    model_version: str
    at: datetime
    value: float

    @property
    def identity(self) -> str:
        """What counts once for a user: this event type for this item of this list."""
        return "\n".join((self.list_id, self.event_type, self.item_id))


class Attribution(NamedTuple):
    """One series of what recommendations brought about.

    The series without experiment and variant holds all of a surface, users outside of experiments too.
    """

    metric: Metric
    surface: Surface
    experiment: str | None = None
    variant: str | None = None


def outcomes(event: Event, secret: Keys) -> list[Credit]:
    """Return what an event counts for, an entry an item; empty if it counts for nothing.

    Repeats are the caller's to drop, by `Credit.identity`. Cost: one HMAC, and O(slate) for an impression.

    Parameters
    ----------
    secret
        The key, or the keys, that signed the recommendation ids.
    """
    receipt = _receipt(event, secret)
    if receipt is None:
        return []
    named = dict.fromkeys(event.item_ids or (() if event.item_id is None else (event.item_id,)))
    return [
        Credit(
            event.user_key,
            event.event_type,
            item_id,
            receipt.list_id,
            receipt.surface,
            receipt.assignments,
            receipt.model_version,
            event.received_at,
            _value(event),
        )
        for item_id in named
        if receipt.covers(item_id)
    ]


def attribute(event: Event, secret: Keys, credited: CreditedItems) -> dict[Attribution, float]:
    """Add up what an event counts for and `credited` has not seen yet, by series; note it there."""
    totals: dict[Attribution, float] = {}
    for credit in outcomes(event, secret):
        if credited.add(credit.identity):
            for series, value in _series(credit):
                totals[series] = totals.get(series, 0.0) + value
    return totals


def surface_of(name: str) -> Surface:
    """Map a surface's name to those that metrics tell apart.

    >>> surface_of("home"), surface_of("newsletter")
    (<Surface.HOME: 'home'>, <Surface.OTHER: 'other'>)
    """
    return Surface(name) if name in Surface else Surface.OTHER


def _receipt(event: Event, secret: Keys) -> Receipt | None:
    if event.recommendation_id is None or event.event_type not in COUNTED:
        return None
    if event.bot or event.received_at - event.occurred_at > LATE_WINDOW:
        return None
    try:
        return verify(secret, event.recommendation_id, user_key=event.user_key, now=event.received_at)
    except InvalidToken:
        return None


def _value(event: Event) -> float:
    match event.event_type:
        case EventType.DWELL:
            return min(event.value or 0.0, MAX_DWELL_SECONDS)
        case EventType.PURCHASE:
            return event.value or 0.0
        case _:
            return 1.0


def _metrics(credit: Credit) -> list[tuple[Metric, float]]:
    match credit.event_type:
        case EventType.IMPRESSION:
            return [(Metric.IMPRESSIONS, 1.0)]
        case EventType.CLICK:
            return [(Metric.CLICKS, 1.0)]
        case EventType.DWELL:
            return [(Metric.DWELL, credit.value)]
        case _:
            return [(Metric.CONVERSIONS, 1.0), (Metric.REVENUE, credit.value)]


def _series(credit: Credit) -> Iterator[tuple[Attribution, float]]:
    surface = surface_of(credit.surface)
    for metric, value in _metrics(credit):
        yield Attribution(metric, surface), value
        for assignment in credit.assignments:
            yield Attribution(metric, surface, assignment.experiment, assignment.variant), value
