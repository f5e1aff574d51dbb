"""Publishes a model: its files, then its lists, then the switch, in one write and last.

Whatever fails before the switch leaves the model in service as it was; running it again is harmless.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Final

import msgspec

from personalization import keys
from personalization.errors import ModelError
from personalization.ports import ActiveModel, ConsentStore, ListStore, ModelStore
from personalization.profiles import at_seconds
from personalization.refreshing import LIST_LIFETIME
from personalization.registry import QUALITY_FILE
from training.lists import StoredList

WRITERS: Final = 16
BATCH: Final = 2_000
SHARED_LIFETIME: Final = timedelta(days=365)
"""What everybody falls back to must outlive a training that fails for weeks."""


@dataclass(frozen=True)
class Publisher:
    """Writes to the model bucket and the table."""

    models: ModelStore
    lists: ListStore
    consents: ConsentStore
    now: datetime

    def publish(
        self, model: Path, version: str, lists: Iterable[StoredList], quality: bytes | None = None
    ) -> int:
        """Publish a model folder, what it was found to be like, and its lists; return how many were written.

        A list of a later revision that is already there stays, and nobody who took back consent since the
        run began gets one. Cost: a put a file, and a conditional write and a hundredth of a call a list.

        Raises
        ------
        ModelError
            A model of a later run is in service: this one comes too late. Or the version is published, and is
            another model: versions never change.
        """
        self._active(version)
        self._store(model, version, quality)
        written = self._write(lists)
        before = self._active(version)
        previous = before.version if before and before.version != version else before and before.previous
        self.lists.activate(ActiveModel(version, previous or None, at_seconds(self.now)))
        return written

    def _active(self, version: str) -> ActiveModel | None:
        """Return the model in service, if this one may take its place."""
        active = self.lists.read([keys.ACTIVE_MODEL]).active
        if active and active.version != version and active.published_at > at_seconds(self.now):
            raise ModelError(f"{active.version}, of a later run, is in service already; start a new run")
        return active

    def _store(self, model: Path, version: str, quality: bytes | None) -> None:
        prefix = keys.model_prefix(version)
        names = sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file())
        for name in names:
            self._put(prefix + name, (model / name).read_bytes())
        if quality is not None:
            self._put(prefix + QUALITY_FILE, quality)
        self._put(prefix + keys.MANIFEST, msgspec.json.encode(names))

    def _put(self, key: str, body: bytes) -> None:
        """Write an object once; the same again is a repetition, as of a publish that broke off."""
        if not self.models.put(key, body, overwrite=False) and self.models.get(key) != body:
            raise ModelError(f"{key} is published already, with other bytes; train under another version")

    def _write(self, lists: Iterable[StoredList]) -> int:
        own = at_seconds(self.now + LIST_LIFETIME)
        shared = at_seconds(self.now + SHARED_LIFETIME)

        def write(stored: StoredList) -> bool:
            expires_at = own if stored.recommendations.ranker else shared
            return self.lists.write_list(stored.key, stored.recommendations, expires_at=expires_at)

        with ThreadPoolExecutor(WRITERS) as pool:
            chunks = map(self._consented, batched(lists, BATCH, strict=False))
            return sum(sum(pool.map(write, chunk)) for chunk in chunks)

    def _consented(self, lists: Sequence[StoredList]) -> list[StoredList]:
        """Leave out lists of users who withhold consent, or did since the lists' profiles were read."""
        owners = [keys.user_of(stored.key) for stored in lists]
        standings = self.consents.standings({owner for owner in owners if owner})

        def agreed(stored: StoredList, owner: str | None) -> bool:
            standing = standings.get(owner or "")
            return not standing or (standing.personal and standing.since <= stored.recommendations.built_at)

        return [stored for stored, owner in zip(lists, owners, strict=True) if agreed(stored, owner)]
