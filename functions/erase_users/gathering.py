"""What the lake holds about people, gathered into one object each, for those who asked for it."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import Final

from functions.erase_users.work import CHUNK, THREADS
from personalization.adapters.lake import S3Lake
from personalization.errors import CorruptData, Unavailable
from personalization.keys import EVENTS, EXPOSURES, export_object
from personalization.ports import ExportRequest, Tombstones
from personalization.redaction import lines_of
from personalization.runtime.observability import logger

_GATHERED: Final = (EVENTS, EXPOSURES)


@dataclass(frozen=True)
class Gatherer:
    """Writes the lines of events and exposures that mention a person, as they rest, in order of object."""

    lake: S3Lake
    tombstones: Tombstones

    def gather(self, requests: Sequence[ExportRequest], *, go_on: Callable[[], bool]) -> None:
        """Write one object a person, but for who was forgotten since. Cost: one pass over the lake for all.

        Memory: their lines.

        Raises
        ------
        Unavailable
            Time was too short.
        """
        erased = self.tombstones.erased_at({one.user_key for one in requests})
        wanted = [one.user_key for one in requests if one.requested_at >= erased.get(one.user_key, 0)]
        user_keys = list(dict.fromkeys(wanted))
        found: dict[str, list[bytes]] = {user: [] for user in user_keys}
        with ThreadPoolExecutor(THREADS) as pool:
            for chunk in batched(self._keys() if user_keys else (), CHUNK, strict=False):
                if not go_on():
                    raise Unavailable("the lake is too large to be gathered from in one go")
                for lines in pool.map(lambda key: self._lines(key, user_keys), chunk):
                    for user, own in lines.items():
                        found[user] += own
        for user, own in found.items():
            body = b"".join(line + b"\n" for line in own)
            self.lake.put(export_object(user), gzip.compress(body, mtime=0))

    def _keys(self) -> Iterator[str]:
        for prefix in _GATHERED:
            for one in self.lake.found(prefix):
                yield one.key

    def _lines(self, key: str, user_keys: Sequence[str]) -> dict[str, list[bytes]]:
        read = self.lake.get(key)
        try:
            return {user: lines_of(read[0], user) for user in user_keys} if read else {}
        except CorruptData as error:
            logger.warning("object can't be read", key=key, reason=str(error))
            return {}
