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

    Returns None for a user without a list of their own, or whose list did not change in time.
    """
    answer = client.recommendations(user_id)
    if answer["source"] not in ("list", "stale_list"):
        return None
    before = _ids(answer)
    clicked = before[len(before) // 2]
    started = time.monotonic()
    client.send([_click(user_id, clicked, answer)])
    while time.monotonic() - started < _PATIENCE_SECONDS:
        answer = client.recommendations(user_id)
        after = _ids(answer)
        if answer["source"] == "list" and after != before:
            return Change(user_id, clicked, before, after, time.monotonic() - started)
        time.sleep(_POLL_SECONDS)
    return None


def percentiles(changes: Sequence[Change]) -> tuple[float, float]:
    """Median and 95th percentile of the changes' seconds."""
    seconds = sorted(change.seconds for change in changes)
    if len(seconds) < 2:
        return (seconds or [float("nan")])[0], (seconds or [float("nan")])[0]
    return statistics.median(seconds), statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _ids(answer: Json) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def _click(user_id: str, item_id: str, answer: Json) -> Json:
    return {
        "event_id": uuid4().hex,
        "event_type": "click",
        "user_id": user_id,
        "item_id": item_id,
        "occurred_at": datetime.now(UTC).isoformat(),
        "recommendation_id": answer["recommendation_id"],
    }
