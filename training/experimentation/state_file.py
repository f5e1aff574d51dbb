"""A `TotalsState` as one file: a zip of a JSON header and of numpy arrays. Equal states give equal bytes.

Columns are compressed at zlib's fastest level; hashes, which can't be, are stored as they are.
"""

import io
import zipfile
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from personalization.errors import CorruptData
from training.experimentation.totals_state import Hashes, TotalsState

_VERSION: Final = 1
_HEADER: Final = "state.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold; the same for all, so that the bytes tell nothing of the clock."""


class _Header(msgspec.Struct, kw_only=True):
    version: int
    name: str
    started_at: int
    variants: list[str]
    strata: list[str]
    through: int | None
    closed: bool
    columns: list[str]
    credited: list[int]
    objects: list[int]


class _Member(NamedTuple):
    name: str
    array: npt.NDArray[np.generic]
    method: int


def encode_state(state: TotalsState) -> bytes:
    """Write a state. Cost: linear in users and in the hashes of the open days."""
    header = _Header(
        version=_VERSION,
        name=state.name,
        started_at=state.started_at,
        variants=state.variants,
        strata=state.strata,
        through=state.through,
        closed=state.closed,
        columns=list(state.columns),
        credited=sorted(state.credited),
        objects=sorted(state.objects),
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compresslevel=1) as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER, _EPOCH), msgspec.json.encode(header))
        for member in _members(state, header):
            entry = zipfile.ZipInfo(f"{member.name}.npy", _EPOCH)
            entry.compress_type = member.method
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, member.array, allow_pickle=False)
    return buffer.getvalue()


def decode_state(data: bytes) -> TotalsState:
    """Read what `encode_state` wrote.

    Raises
    ------
    CorruptData
        No state, a damaged one, or one of another version.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            header = msgspec.json.decode(archive.read(_HEADER), type=_Header)
            if header.version != _VERSION:
                raise CorruptData(f"the state is of version {header.version}, not {_VERSION}")
            return _state(header, archive)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, msgspec.DecodeError) as error:
        raise CorruptData(f"the state can't be read: {error}") from None


def _members(state: TotalsState, header: _Header) -> list[_Member]:
    stored, deflated = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    return [
        _Member("users", state.users, stored),
        *(_Member(f"columns/{name}", state.columns[name], deflated) for name in header.columns),
        *(_Member(f"credited/{day}", state.credited[day], stored) for day in header.credited),
        *(_Member(f"objects/{day}", state.objects[day], stored) for day in header.objects),
    ]


def _state(header: _Header, archive: zipfile.ZipFile) -> TotalsState:
    def array(name: str) -> npt.NDArray[np.generic]:
        with archive.open(f"{name}.npy") as file:
            found: npt.NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
        return found

    def hashes(name: str) -> Hashes:
        return array(name).astype(np.uint64, copy=False)

    return TotalsState(
        name=header.name,
        started_at=header.started_at,
        users=hashes("users"),
        columns={name: array(f"columns/{name}") for name in header.columns},
        variants=header.variants,
        strata=header.strata,
        credited={day: hashes(f"credited/{day}") for day in header.credited},
        objects={day: hashes(f"objects/{day}") for day in header.objects},
        through=header.through,
        closed=header.closed,
    )
