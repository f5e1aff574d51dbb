"""What a person would try first: a known user, a brand-new one, and one who has just acted."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from infrastructure.local.demo.client import ApiClient

_POLL_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 30.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """How a list changed after a click.

    Attributes
    ----------
    seconds
        From the click's request to the first answer with the changed list, polling included.
    """

    user_id: str
    clicked: str
    before: list[str]
    after: list[str]
    seconds: float


def click_and_wait(client: ApiClient, user_id: str) -> Change | None:
    """Click an item of the user's list and wait until the list is rebuilt from that act.

    A list of the same items in the same order is told from the one before by its scores. Returns None for a
    user who has no list of their own in time, or whose list is not rebuilt in time.
    """
    answer = _list_other_than(client, user_id, [])
    if answer is None:
        return None
    before = answer["items"]
    clicked = before[len(before) // 2]["item_id"]
    started = time.monotonic()
    client.send([_click(user_id, clicked, answer)])
    answer = _list_other_than(client, user_id, before)
    if answer is None:
        return None
    return Change(user_id, clicked, _ids(before), _ids(answer["items"]), time.monotonic() - started)


def _list_other_than(client: ApiClient, user_id: str, items: list[Json]) -> Json | None:
    """Ask until the user's own, fresh list comes and is another; an answer under load may be a fallback."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = client.recommendations(user_id)
        if answer["source"] == "list" and answer["items"] != items:
            return answer
        time.sleep(_POLL_SECONDS)
    return None


def percentiles(changes: Sequence[Change]) -> tuple[float, float]:
    """Median and 95th percentile of the changes' seconds."""
    seconds = sorted(change.seconds for change in changes)
    if len(seconds) < 2:
        return (seconds or [float("nan")])[0], (seconds or [float("nan")])[0]
    return statistics.median(seconds), statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _ids(items: list[Json]) -> list[str]:
    return [item["item_id"] for item in items]


def _click(user_id: str, item_id: str, answer: Json) -> Json:
    return {
        "event_id": uuid4().hex,
        "event_type": "click",
        "user_id": user_id,
        "item_id": item_id,
        "occurred_at": datetime.now(UTC).isoformat(),
        "recommendation_id": answer["recommendation_id"],
    }
