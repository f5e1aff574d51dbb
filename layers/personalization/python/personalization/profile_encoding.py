"""How a profile is stored: MessagePack, fields by position, item hashes and times packed as uint32.

Format 1 knew when an item was last shown, format 2 knows the hours in which it was: either is read, and 2
written. Profiles that were stored before consent could be taken back end before `since`. Equal states give
equal bytes. About 0.3 KB typically and 4 KB at every bound. Encoding costs O(n log n) in the entries kept,
decoding O(n).
"""

from array import array
from collections.abc import Mapping, Set
from typing import Final

import msgspec
from msgspec import Struct

from personalization.consent import Word
from personalization.errors import CorruptData
from personalization.profiles import KINDS, Profile, latest

FORMAT_VERSION: Final = 2
_LAST_SHOWN_ONLY: Final = 1


class _Stored(Struct, array_like=True, frozen=True):
    version: int
    first_at: int
    last_at: int
    revision: int
    spent_cents: int
    totals: list[int]
    recent: list[tuple[str, int, int, int]]
    owned: bytes
    shown: bytes
    disliked: list[tuple[str, int]]
    days: list[tuple[int, int, int, int]]
    surfaces: list[tuple[str, int]]
    attributes: list[tuple[str, int, str]]
    consent: Word | None
    since: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


def encode(profile: Profile) -> bytes:
    """Serialize a profile, cut to its bounds; the profile itself is left as it is."""
    kept = latest(profile)
    return _encoder.encode(
        _Stored(
            version=FORMAT_VERSION,
            first_at=kept.first_at,
            last_at=kept.last_at,
            revision=kept.revision,
            spent_cents=kept.spent_cents,
            totals=kept.totals,
            recent=[(item, *touch) for item, touch in kept.recent.items()],
            owned=_pack(kept.owned),
            shown=_pack_hours(kept.shown),
            disliked=list(kept.disliked.items()),
            days=[(day, counts[0], counts[1], counts[2]) for day, counts in kept.days.items()],
            surfaces=list(kept.surfaces.items()),
            attributes=[(name, at, value) for name, (at, value) in kept.attributes.items()],
            consent=kept.consent,
            since=kept.since,
        )
    )


def decode(data: bytes) -> Profile:
    """Read what `encode` wrote.

    Raises
    ------
    CorruptData
        Not a profile, or of an unknown format version.
    """
    try:
        return _restored(_decoder.decode(data))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise CorruptData(str(error)) from None


def _restored(stored: _Stored) -> Profile:
    if stored.version not in (_LAST_SHOWN_ONLY, FORMAT_VERSION):
        raise CorruptData(f"unknown profile format {stored.version}")
    return Profile(
        first_at=stored.first_at,
        last_at=stored.last_at,
        revision=stored.revision,
        spent_cents=stored.spent_cents,
        totals=stored.totals + [0] * (len(KINDS) - len(stored.totals)),
        recent={item: (at, code, tenths) for item, at, code, tenths in stored.recent},
        owned=_unpack(stored.owned),
        shown=_unpack_hours(stored),
        disliked=dict(stored.disliked),
        days={day: list(counts) for day, *counts in stored.days},
        surfaces=dict(stored.surfaces),
        attributes={name: (at, value) for name, at, value in stored.attributes},
        consent=stored.consent,
        since=stored.since,
    )


def _pack(entries: Mapping[int, int]) -> bytes:
    flat = array("I", [part for entry in entries.items() for part in entry])
    return flat.tobytes()


def _unpack(data: bytes) -> dict[int, int]:
    flat = array("I", data)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _pack_hours(shown: Set[tuple[int, int]]) -> bytes:
    """The newest hour and the hashes, 4 bytes each, then each one's hours before the newest, 2 bytes each."""
    if not shown:
        return b""
    entries = sorted(shown, reverse=True)
    newest = entries[0][0]
    hashes = array("I", [newest, *(item for _, item in entries)])
    return hashes.tobytes() + array("H", [newest - hour for hour, _ in entries]).tobytes()


def _unpack_hours(stored: _Stored) -> set[tuple[int, int]]:
    data = stored.shown
    if stored.version == _LAST_SHOWN_ONLY:
        return {(at // 3_600, item) for item, at in _unpack(data).items()}
    if not data:
        return set()
    count = (len(data) - 4) // 6
    newest, *hashes = array("I", data[: 4 * count + 4])
    ages = array("H", data[4 * count + 4 :])
    return {(newest - age, item) for item, age in zip(hashes, ages, strict=True)}
