"""A synthetic log of any size: Zipf-popular items, users with tastes, ten acts a user on average."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAYS: Final = 60
TASTES: Final = 200
TASTE_SHARE: Final = 0.7
"""Share of acts on items of the user's own taste; the rest are on anything."""


def write_zipf_log(folder: Path, *, events: int, users: int, items: int, seed: int = 1) -> tuple[Path, Path]:
    """Write `events.jsonl.gz` and `items.jsonl.gz`, the events in order of time. O(events)."""
    chance = np.random.default_rng(seed)
    weight = 1.0 / np.arange(1, items + 1)
    cumulative = np.cumsum(weight) / weight.sum()
    taste_of_item = chance.integers(TASTES, size=items)
    taste_of_user = chance.integers(TASTES, size=users)
    user = chance.integers(users, size=events)
    item = np.searchsorted(cumulative, chance.random(events))
    by_taste = np.argsort(taste_of_item, kind="stable")
    bounds = np.searchsorted(taste_of_item[by_taste], np.arange(TASTES + 1))
    first, count = bounds[taste_of_user[user]], np.diff(bounds)[taste_of_user[user]]
    place = np.minimum((np.maximum(count, 1) ** chance.random(events)).astype(int) - 1, count - 1)
    own = (chance.random(events) < TASTE_SHARE) & (count > 0)
    item = np.where(own, by_taste[np.minimum(first + np.maximum(place, 0), items - 1)], item)
    second = np.sort(chance.integers(DAYS * 86_400, size=events))
    catalogue, log = folder / "items.jsonl.gz", folder / "events.jsonl.gz"
    _write(catalogue, (_item(row, taste) for row, taste in enumerate(taste_of_item.tolist())))
    rows = enumerate(zip(user.tolist(), item.tolist(), second.tolist(), strict=True))
    _write(log, (_event(number, *row) for number, row in rows))
    return log, catalogue


def _write(path: Path, objects: Iterable[dict[str, object]]) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(msgspec.json.encode(one) + b"\n" for one in objects)


def _item(row: int, taste: int) -> dict[str, object]:
    return {"item_id": f"i{row}", "tags": [f"t{taste}"], "category": f"c{taste % 20}"}


def _event(number: int, user: int, item: int, second: int) -> dict[str, object]:
    return {
        "schema_version": 1,
        "event_id": f"e{number}",
        "event_type": "click",
        "user_id": f"u{user}",
        "item_id": f"i{item}",
        "occurred_at": (START + timedelta(seconds=second)).isoformat(),
    }
