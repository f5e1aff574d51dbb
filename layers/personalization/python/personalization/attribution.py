"""Which experiment variant an impression or a click counts for.

Only a valid receipt counts, only for its own user, and only for the items it names. An impression
counts once for each item shown; the same slate or click of one list counts once, whatever its event ids.
"""

from typing import Final, NamedTuple

from personalization.errors import InvalidToken
from personalization.events import Event, EventType
from personalization.ledger import SeenIds
from personalization.names import Metric, Surface
from personalization.tokens import verify

_METRICS: Final = {EventType.IMPRESSION: Metric.IMPRESSIONS, EventType.CLICK: Metric.CLICKS}


class Attribution(NamedTuple):
    """One series of the CTR by variant."""

    metric: Metric
    surface: Surface
    experiment: str
    variant: str


def attribute(event: Event, secret: bytes, seen: SeenIds) -> dict[Attribution, int]:
    """Count an event for every experiment its receipt names; empty if it has no valid receipt.

    A click on an item of a list, and a slate of a list, count once while `seen` remembers them.
    """
    metric = _METRICS.get(event.event_type)
    if metric is None or event.recommendation_id is None:
        return {}
    try:
        receipt = verify(secret, event.recommendation_id, user_key=event.user_key, now=event.received_at)
    except InvalidToken:
        return {}
    shown = dict.fromkeys(event.item_ids or (() if event.item_id is None else (event.item_id,)))
    count = sum(receipt.covers(item_id) for item_id in shown)
    if not count or not seen.add("\n".join((receipt.list_id, event.event_type, *shown))):
        return {}
    surface = surface_of(receipt.surface)
    return {
        Attribution(metric, surface, assignment.experiment, assignment.variant): count
        for assignment in receipt.assignments
    }


def surface_of(name: str) -> Surface:
    """Map a surface's name to those that metrics tell apart.

    >>> surface_of("home"), surface_of("newsletter")
    (<Surface.HOME: 'home'>, <Surface.OTHER: 'other'>)
    """
    return Surface(name) if name in Surface else Surface.OTHER
