"""The users' records of the lake in parts, on disk, so that memory holds the events of one part at a time."""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

import msgspec
from msgspec import Struct

from personalization.archiving import LakeLine, read_lines
from personalization.errors import InvalidInput
from personalization.events import Event, decode_event
from personalization.ledger import Mark
from training.persons import Link, holder_of

SHARDS: Final = 64
_STREAMED: Final = re.compile(r"(\d+)-[^/]*\.jsonl\.gz$")
_IMPORTED: Final = re.compile(r"import-(\d+)-event-(\d+)")


class Place(Struct, frozen=True, order=True, array_like=True):
    """Where a record was applied: by time of arrival, then by its place in the stream or the import."""

    arrived_at: datetime
    mark: Mark
    """How far the stream, or imports, were read when it was applied."""
    imported: bool


Row = tuple[Place, Event]


class Stored(Struct, frozen=True, array_like=True):
    """A record on its way to its part of the users; without an event it is the mention of a visitor."""

    place: Place
    user: str
    event: bytes = b""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Stored)


def place_of(key: str, line: LakeLine) -> Place | None:
    """Tell a record's place by its object and line; None if it has none, as an imported item."""
    if line.sequence_number.isdecimal() and (named := _STREAMED.search(key)):
        return Place(line.arrived_at, Mark.of(int(named[1]), line.sequence_number), imported=False)
    if imported := _IMPORTED.fullmatch(line.sequence_number):
        return Place(line.arrived_at, Mark.of(int(imported[1]), imported[2]), imported=True)
    return None


def spread(objects: Iterable[tuple[str, bytes]], folder: Path) -> list[Link]:
    """Sort the users' records of lake objects into `SHARDS` files; return the links, in order of arrival."""
    links: list[tuple[Place, Link]] = []
    with ExitStack() as files:
        parts = [files.enter_context((folder / str(shard)).open("wb")) for shard in range(SHARDS)]
        for key, body in objects:
            for line in read_lines(gzip.decompress(body).splitlines()):
                place = place_of(key, line)
                with suppress(InvalidInput):
                    if place is not None and line.event and (event := decode_event(line.event)).user_key:
                        row = Stored(place, event.user_key, bytes(line.event))
                        _append(parts[_shard(event.user_key)], row)
                        if (link := Link.of(event)) is not None:
                            links.append((place, link))
                            _append(parts[_shard(link.visitor)], Stored(place, link.visitor))
    return [link for _, link in sorted(links)]


def users_of(folder: Path, shard: int) -> set[str]:
    """Return the keys in a part, also of visitors who are only mentioned."""
    return {row.user for row in _stored(folder / str(shard))}


def gather(folder: Path, merged_into: Mapping[str, str]) -> None:
    """Put the records of visitors beside those of the users whom they turned out to be.

    Cost: another reading of the files, without parsing events; nothing if nobody was merged.
    """
    if not merged_into:
        return
    with ExitStack() as files:
        parts = [files.enter_context((folder / f"{shard}-merged").open("wb")) for shard in range(SHARDS)]
        for shard in range(SHARDS):
            for row in _stored(folder / str(shard)):
                if row.user in merged_into:
                    _append(parts[_shard(holder_of(row.user, merged_into))], row)


def read_shard(
    folder: Path, shard: int, merged_into: Mapping[str, str], also: Iterable[str] = ()
) -> dict[str, list[Row]]:
    """Read what `spread` and `gather` wrote, by user; visitors are found with whom they turned out to be.

    Those of `also` who belong to this part are there in any case, without records if there are none.
    """
    users: dict[str, list[Row]] = {user: [] for user in also if _shard(holder_of(user, merged_into)) == shard}
    own = (row for row in _stored(folder / str(shard)) if row.event and row.user not in merged_into)
    for row in chain(own, _stored(folder / f"{shard}-merged") if merged_into else ()):
        rows = users.setdefault(row.user, [])
        if row.event:
            rows.append((row.place, decode_event(row.event)))
    return users


def _shard(user: str) -> int:
    return crc32(user.encode()) % SHARDS


def _append(file: BinaryIO, row: Stored) -> None:
    packed = _encoder.encode(row)
    file.write(len(packed).to_bytes(4) + packed)


def _stored(path: Path) -> Iterator[Stored]:
    with path.open("rb") as file:
        while size := file.read(4):
            yield _decoder.decode(file.read(int.from_bytes(size)))
