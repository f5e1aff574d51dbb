"""Who consented to what, as far as one container knows: read for the users of a batch, kept for seconds."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from personalization.consent import EFFECTIVE_SECONDS, Standing
from personalization.names import Consent
from personalization.ports import ConsentStore

MAX_USERS: Final = 20_000
"""About 4 MB; more than a container takes in within `EFFECTIVE_SECONDS`."""


@dataclass
class ConsentCache:
    """Answers from what was read less than `EFFECTIVE_SECONDS` ago, else from the store.

    Parameters
    ----------
    default
        In force for who never said anything.
    """

    store: ConsentStore
    default: Consent
    _kept: dict[str, tuple[float, Standing]] = field(default_factory=dict)

    def of(self, user_keys: Collection[str], now: datetime) -> dict[str, Standing]:
        """Return what is in force for each user. Cost: one call per 100 users that are not kept.

        Raises
        ------
        Unavailable
            The store is out of reach: nothing may be kept of who may have said no.
        """
        at = now.timestamp()
        known = {key: self._kept[key][1] for key in user_keys if key in self._kept and self._fresh(key, at)}
        unknown = [key for key in user_keys if key not in known]
        if unknown:
            found = self.store.standings(unknown)
            known |= {key: found.get(key, Standing(self.default)) for key in unknown}
            self._keep(known, at, unknown)
        return known

    def hear(self, user_key: str, standing: Standing, now: datetime) -> None:
        """Take note of a word that was just accepted here."""
        self._keep({user_key: standing}, now.timestamp(), [user_key])

    def _fresh(self, user_key: str, at: float) -> bool:
        return 0 <= at - self._kept[user_key][0] < EFFECTIVE_SECONDS

    def _keep(self, standings: dict[str, Standing], at: float, user_keys: Collection[str]) -> None:
        if len(self._kept) + len(user_keys) > MAX_USERS:
            self._kept.clear()
        self._kept |= {key: (at, standings[key]) for key in user_keys}
