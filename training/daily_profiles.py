"""Profiles at every midnight that a split by time may cut at, kept up day by day.

Of a user rests, for each day on which something arrived, the profile of what had arrived *before* that day,
and one of everything. The profile at any midnight is then that of the first such day from there on: nothing
arrived in between. An event is folded into those of all later days, so late events and imports of old history
end where a replay of the whole log puts them: the reducer does not depend on order.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from personalization.events import Event
from personalization.ledger import SeenIds
from personalization.profile_encoding import decode, encode
from personalization.profile_merging import merge
from personalization.profiles import Profile, at_seconds
from training.snapshots import StoredProfiles, fold
from training.split import NEVER

DAY: Final = 86_400
SHARDS: Final = 16
_GZIP_LEVEL: Final = 1
"""A user's profiles are much alike and lie side by side: little effort finds most of what they share."""
_EMPTY: Final = encode(Profile())

Row = tuple[str, bytes, dict[int, bytes]]
"""(user key, ids seen, day since 1970 or `NEVER` -> encoded profile of what arrived before)."""


class DailyProfiles:
    """The profiles of a log's users at each midnight from a horizon on.

    Memory and disk: about 1 KB a user (ids seen, the profile of everything), and a profile (0.3 KB typically,
    4 KB at every bound) for each day after the horizon on which a user did something.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = {user: (seen, versions) for user, seen, versions in rows}

    def fold(self, events: Iterable[Event], *, horizon: int) -> list[Event]:
        """Fold users' events, in order of reading; return those whose id a user had sent before.

        Midnights of days before `horizon` are no longer kept. Cost a user: a decoding and an encoding for
        each kept day that follows one of the events.
        """
        repeats: list[Event] = []
        for user, own in _by_user(events).items():
            seen, versions = self._rows.get(user, (b"", {NEVER: _EMPTY}))
            ids = SeenIds(seen)
            fresh: list[Event] = []
            for event in own:
                (fresh if ids.add(event.event_id) else repeats).append(event)
            self._rows[user] = bytes(ids), _folded(versions, fresh, horizon)
        return repeats

    def prune(self, horizon: int) -> None:
        """Forget the midnights of days before the horizon."""
        for user, (seen, versions) in self._rows.items():
            self._rows[user] = seen, _kept(versions, horizon)

    def at(
        self, users: Sequence[str], cut: int, visitors: Mapping[str, Sequence[str]] | None = None
    ) -> StoredProfiles:
        """Return the profiles of what had arrived before a midnight not before the horizon, or of everything.

        `cut` is in seconds since 1970, or `NEVER`. What a user's `visitors` did is theirs.
        """
        day = NEVER if cut == NEVER else cut // DAY
        theirs = visitors or {}
        return StoredProfiles([self._person_at((user, *theirs.get(user, ())), day) for user in users])

    def _person_at(self, keys: Sequence[str], day: int) -> bytes:
        first, *others = (_at(self._rows[key][1], day) for key in keys if key in self._rows)
        return encode(reduce(merge, map(decode, others), decode(first))) if others else first

    def save(self, folder: Path) -> None:
        """Write `SHARDS` files, users by a hash of their key; equal profiles are equal bytes."""
        shards: list[list[Row]] = [[] for _ in range(SHARDS)]
        for user in sorted(self._rows):
            seen, versions = self._rows[user]
            shards[crc32(user.encode()) % SHARDS].append((user, seen, dict(sorted(versions.items()))))
        for number, rows in enumerate(shards):
            packed = gzip.compress(msgspec.msgpack.encode(rows), _GZIP_LEVEL, mtime=0)
            (folder / f"profiles.{number:02}.msgpack.gz").write_bytes(packed)

    @classmethod
    def load(cls, folder: Path) -> "DailyProfiles":
        """Read what `save` wrote."""
        return cls(_saved(folder))


def _saved(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob("profiles.*.msgpack.gz")):
        yield from msgspec.msgpack.decode(gzip.decompress(path.read_bytes()), type=list[Row])


def _by_user(events: Iterable[Event]) -> dict[str, list[Event]]:
    grouped: dict[str, list[Event]] = {}
    for event in events:
        grouped.setdefault(event.user_key, []).append(event)
    return grouped


def _folded(versions: Mapping[int, bytes], events: Sequence[Event], horizon: int) -> dict[int, bytes]:
    """Return a user's versions after some events; those that know the same share one."""
    days = [at_seconds(event.received_at) // DAY for event in events]
    before = dict(versions)
    for day in set(days):
        if day >= horizon:
            before.setdefault(day, _at(versions, day))
    made: dict[tuple[bytes, int], bytes] = {}
    after = {}
    for key, state in _kept(before, horizon).items():
        earlier = [event for event, day in zip(events, days, strict=True) if day < key]
        # Of two midnights after the same events, equally many before them are the same ones.
        once = state, len(earlier)
        if once not in made:
            made[once] = fold(state, earlier) if earlier else state
        after[key] = made[once]
    return after


def _at(versions: Mapping[int, bytes], day: int) -> bytes:
    return versions[min(key for key in versions if key >= day)]


def _kept(versions: Mapping[int, bytes], horizon: int) -> dict[int, bytes]:
    return {day: state for day, state in versions.items() if day >= horizon}
