"""Which model is in service, for those who ask all the time: one record that everybody meets in."""

from dataclasses import dataclass
from typing import Final

from personalization.keys import ACTIVE_MODEL
from personalization.ports import ActiveModel, ListStore

IN_SERVICE_SECONDS: Final = 10.0
"""As long as the read path keeps it: a record gives 3,000 read units a second at most, to all together."""


@dataclass
class InService:
    """The model in service as of at most `IN_SERVICE_SECONDS` ago; the very first one is seen at once."""

    active: ActiveModel | None = None
    read_at: float = float("-inf")

    def current(self, lists: ListStore, now: float) -> ActiveModel | None:
        """Return it; `now` in seconds since 1970. Cost: half a read unit, if the copy is old."""
        if self.active is None or now - self.read_at >= IN_SERVICE_SECONDS:
            self.active, self.read_at = lists.read([ACTIVE_MODEL]).active, now
        return self.active
