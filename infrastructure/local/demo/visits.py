"""Simulated visits: a user opens the page, sees a slate, and clicks what they like.

What they like comes from outside: a synthetic shop's hidden tastes, or, for a real log, what the same user
really did later.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from infrastructure.local.demo.client import ApiClient

SLATE: Final = 10
_THREADS: Final = 4
Json = dict[str, Any]
Likes = Callable[[str, str, int], float]
"""(user id, item id, position from 0) -> probability of a click."""


@dataclass(frozen=True)
class Visitors:
    """Lets users visit, and sends what they do in batches.

    Parameters
    ----------
    likes
        How likely a user clicks an item at a position.
    seed
        Makes the clicks repeatable for equal slates.
    slate
        Items that a visitor is shown.
    """

    client: ApiClient
    likes: Likes
    seed: int
    slate: int = SLATE

    def visit(self, user_ids: Sequence[str], advance: Callable[[], None]) -> None:
        """Let each user visit once, a few at a time; calls `advance` after each."""

        def visit_one(user_id: str) -> list[Json]:
            answer = self.client.recommendations(user_id, limit=self.slate)
            advance()
            return self._events(user_id, answer) if answer["items"] else []

        batch = 25
        with ThreadPoolExecutor(_THREADS) as pool:
            for start in range(0, len(user_ids), batch):
                events = [
                    row for rows in pool.map(visit_one, user_ids[start : start + batch]) for row in rows
                ]
                if events:
                    self.client.send(events)

    def _events(self, user_id: str, answer: Json) -> list[Json]:
        shown = [item["item_id"] for item in answer["items"]]
        chance = random.Random(f"{self.seed}/{user_id}/{shown}")  # noqa: S311 - a simulation
        clicked = [
            (position, item)
            for position, item in enumerate(shown)
            if chance.random() < self.likes(user_id, item, position)
        ]
        common = {
            "user_id": user_id,
            "occurred_at": datetime.now(UTC).isoformat(),
            "surface": "home",
            "recommendation_id": answer["recommendation_id"],
        }
        impression = {"event_type": "impression", "item_ids": shown}
        clicks = [{"event_type": "click", "item_id": item, "position": place} for place, item in clicked]
        return [common | row | {"event_id": uuid4().hex} for row in (impression, *clicks)]
