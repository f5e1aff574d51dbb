"""A drop of the click-through rate, planted through the API, until the page for it goes out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from infrastructure.local.alarms import RingingAlarm, ringing_alarms
from infrastructure.local.demo.client import ApiClient
from infrastructure.local.demo.visits import Visitors
from infrastructure.local.lifecycle import LocalAws
from personalization.lists import MAX_LIMIT

USUAL_VISITS: Final = 8
"""Each with one click on 50 items: 2%."""
DEAD_VISITS: Final = 40
WATCHED: Final = frozenset({"ClickRateAlone", "SurfaceClickRateHome"})
"""The page, and the alarm of the surface where they stop."""
_PATIENCE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 1.0


@dataclass(frozen=True)
class ClickDrop:
    """Visitors who click as usual, then many who don't."""

    aws: LocalAws
    client: ApiClient

    def play(self, advance: Callable[[], None] = lambda: None) -> list[RingingAlarm]:
        """Plant the drop and wait; returns what rings once all that is watched does, or after two minutes.

        An alarm judges the running hour. When the hour ends meanwhile, the drop is planted once more.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        planted: datetime | None = None
        while True:
            hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            if hour != planted:
                self._plant(hour, advance)
                planted = hour
            ringing = ringing_alarms(self.aws.client("cloudwatch"))
            if is_told(ringing) or time.monotonic() > deadline:
                return ringing
            time.sleep(_POLL_SECONDS)

    def _plant(self, hour: datetime, advance: Callable[[], None]) -> None:
        people = [f"passer-by-{hour:%H}-{number}" for number in range(USUAL_VISITS + DEAD_VISITS)]
        usual = Visitors(self.client, _first, seed=1, slate=MAX_LIMIT)
        usual.visit(people[:USUAL_VISITS], advance)
        dead = Visitors(self.client, _never, seed=1, slate=MAX_LIMIT)
        dead.visit(people[USUAL_VISITS:], advance)


def is_told(ringing: Sequence[RingingAlarm]) -> bool:
    """Whether on-call knows that clicks fell."""
    return {alarm.title for alarm in ringing} >= WATCHED


def _first(_: str, __: str, position: int) -> float:
    return float(position == 0)


def _never(_: str, __: str, ___: int) -> float:
    return 0.0
