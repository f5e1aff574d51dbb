"""Publishes a model: its files, then its lists, then the switch, in one write and last.

Whatever fails before the switch leaves the model in service as it was; running it again is harmless.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Final

import msgspec

from personalization import keys
from personalization.errors import ModelError
from personalization.lists import RecommendationList
from personalization.ports import ActiveModel, ListStore, ModelStore, UserWords
from personalization.profiles import at_seconds
from personalization.refreshing import LIST_LIFETIME
from personalization.registry import QUALITY_FILE
from personalization.shared import pack
from training.lists import StoredList

WRITERS: Final = 16
BATCH: Final = 2_000
KNOWN_BEFORE: Final = timedelta(days=1)
"""A night may know of who was forgotten so long before it began: their lines rested in the lake meanwhile."""
SHARED_LIFETIME: Final = timedelta(days=365)
"""What everybody falls back to must outlive a training that fails for weeks."""


@dataclass(frozen=True)
class Publisher:
    """Writes to the model bucket and the table."""

    models: ModelStore
    lists: ListStore
    users: UserWords
    now: datetime

    def publish(
        self, model: Path, version: str, lists: Iterable[StoredList], quality: bytes | None = None
    ) -> int:
        """Publish a model folder, what it was found to be like, and its lists; return how many were written.

        A list of a later revision that is already there stays. Who was forgotten since the night began, or on
        the day before, or took back consent since, gets none: theirs follows from their next act, if there
        is one. What all users share is put beside the models too, for when the table can't be read. Cost: a
        put a file, a conditional write a list, and two reads a user.

        Raises
        ------
        ModelError
            A model of a later run is in service: this one comes too late. Or the version is published, and is
            another model: versions never change.
        """
        self._active(version)
        self._store(model, version, quality)
        shared: dict[str, RecommendationList] = {}
        written = self._write(_noting(lists, shared))
        self.models.put(keys.SHARED_COPY, pack(shared))
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
            chunks = batched(lists, BATCH, strict=False)
            return sum(sum(pool.map(write, self._allowed(chunk))) for chunk in chunks)

    def _allowed(self, lists: Sequence[StoredList]) -> Iterator[StoredList]:
        """Leave out the lists of who was forgotten or withholds consent; asked before they are written."""
        owners = {stored.key: keys.user_of(stored.key) or "" for stored in lists}
        asked = {owner for owner in owners.values() if owner}
        erased, standings = self.users.erased_at(asked), self.users.standings(asked)
        since = at_seconds(self.now - KNOWN_BEFORE)
        for stored in lists:
            standing = standings.get(owners[stored.key])
            agreed = not standing or (standing.personal and standing.since <= stored.recommendations.built_at)
            if agreed and erased.get(owners[stored.key], 0) < since:
                yield stored


def _noting(lists: Iterable[StoredList], shared: dict[str, RecommendationList]) -> Iterator[StoredList]:
    """Pass lists on, and keep those that all users share by their names."""
    for stored in lists:
        if name := keys.shared_name(stored.key):
            shared[name] = stored.recommendations
        yield stored
