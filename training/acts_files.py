"""How a collected log rests on disk: columns as ``.npy``, ids and items as JSON; equal logs, equal bytes."""

from array import array
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from personalization.events import Item
from training.acts import ActLog, Acts
from training.impressions import Impressions, Slates

_COLUMNS: Final = ("user", "item", "at", "weight")
_SHOWN: Final = ("user", "item", "at", "position", "clicked")
_SLATES: Final = {"user": "i", "at": "q", "digest": "I", "end": "q", "item": "i"}
"""Column of `Slates` -> its type code."""


class _Facts(msgspec.Struct):
    users: tuple[str, ...]
    items: tuple[Item, ...]
    events: int
    last_at: datetime | None
    merged_into: dict[str, str]
    since: dict[str, int] = {}


def save_log(log: ActLog, folder: Path) -> None:
    """Write a log into a folder: 28 bytes an act, 18 an item shown, the ids of users and the items."""
    facts = _Facts(log.users, log.items, log.events, log.last_at, dict(log.merged_into), dict(log.since))
    (folder / "facts.json").write_bytes(msgspec.json.encode(facts))
    for name in _COLUMNS:
        np.save(folder / f"acts.{name}.npy", getattr(log.acts, name))
        np.save(folder / f"owned.{name}.npy", getattr(log.owned, name))
        np.save(folder / f"anonymous.{name}.npy", getattr(log.anonymous, name))
    for name in _SHOWN:
        np.save(folder / f"shown.{name}.npy", getattr(log.shown, name))


def load_log(folder: Path) -> ActLog:
    """Read what `save_log` wrote."""
    facts = msgspec.json.decode((folder / "facts.json").read_bytes(), type=_Facts)
    acts, owned, anonymous = (
        Acts(*(np.load(folder / f"{part}.{name}.npy") for name in _COLUMNS))
        for part in ("acts", "owned", "anonymous")
    )
    shown = Impressions(*(np.load(folder / f"shown.{name}.npy") for name in _SHOWN))
    return ActLog(
        users=facts.users,
        items=facts.items,
        acts=acts,
        owned=owned,
        events=facts.events,
        last_at=facts.last_at,
        shown=shown,
        merged_into=facts.merged_into,
        anonymous=anonymous,
        since=facts.since,
    )


def save_slates(slates: Slates, folder: Path) -> None:
    """Write slates as they were read: 24 bytes each, 4 an item and the items' ids."""
    (folder / "slates.json").write_bytes(msgspec.json.encode(list(slates.names)))
    for name, code in _SLATES.items():
        np.save(folder / f"slates.{name}.npy", np.asarray(getattr(slates, name), dtype=code))


def load_slates(folder: Path) -> Slates:
    """Read what `save_slates` wrote."""
    names = msgspec.json.decode((folder / "slates.json").read_bytes(), type=list[str])
    columns = {
        name: array(code, np.load(folder / f"slates.{name}.npy").tobytes()) for name, code in _SLATES.items()
    }
    return Slates(names={name: number for number, name in enumerate(names)}, **columns)
