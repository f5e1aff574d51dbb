"""How a collected log rests on disk: columns as ``.npy``, ids and items as JSON; equal logs, equal bytes."""

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from personalization.events import Item
from training.acts import ActLog, Acts

_COLUMNS: Final = ("user", "item", "at", "weight")


class _Facts(msgspec.Struct):
    users: tuple[str, ...]
    items: tuple[Item, ...]
    events: int
    last_at: datetime | None


def save_log(log: ActLog, folder: Path) -> None:
    """Write a log into a folder: 28 bytes an act, the ids of users and the items."""
    facts = _Facts(log.users, log.items, log.events, log.last_at)
    (folder / "facts.json").write_bytes(msgspec.json.encode(facts))
    for name in _COLUMNS:
        np.save(folder / f"acts.{name}.npy", getattr(log.acts, name))
        np.save(folder / f"owned.{name}.npy", getattr(log.owned, name))


def load_log(folder: Path) -> ActLog:
    """Read what `save_log` wrote."""
    facts = msgspec.json.decode((folder / "facts.json").read_bytes(), type=_Facts)
    acts, owned = (
        Acts(*(np.load(folder / f"{part}.{name}.npy") for name in _COLUMNS)) for part in ("acts", "owned")
    )
    return ActLog(facts.users, facts.items, acts, owned, facts.events, facts.last_at)
