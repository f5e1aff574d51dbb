"""The log that Metarank publishes its memory for: per user two slates of ten items, and four clicks.

https://docs.metarank.ai/ (memory of the Redis store): 812 MB for a million users and 100,000 items.
"""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAYS: Final = 60
SLATE: Final = 10
VISIT: Final = ("impression", "click", "impression", "click", "click", "click")
"""What each user does, a minute apart."""
_BLOCK: Final = 50_000


def write_metarank_log(path: Path, *, users: int, items: int, seed: int = 1) -> int:
    """Write gzipped JSON lines in order of time; return how many. Cost and memory O(events)."""
    chance = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), len(VISIT))
    kind = np.tile(np.arange(len(VISIT)), users)
    second = np.repeat(chance.integers(DAYS * 86_400, size=users), len(VISIT)) + 60 * kind
    order = np.argsort(second, kind="stable")
    with gzip.open(path, "wb", compresslevel=1) as file:
        for start in range(0, len(order), _BLOCK):
            rows = order[start : start + _BLOCK]
            slates = chance.integers(items, size=(len(rows), SLATE))
            told = zip(user[rows], kind[rows], second[rows], slates, strict=True)
            file.writelines(_lines(start, told))
    return len(order)


def _lines(start: int, rows: Iterator[tuple[np.int64, np.int64, np.int64, np.ndarray]]) -> Iterator[bytes]:
    for number, (user, kind, second, slate) in enumerate(rows, start):
        ids = [f"item-{item}" for item in slate.tolist()]
        acted = {"item_ids": ids} if VISIT[kind] == "impression" else {"item_id": ids[0]}
        event = {
            "event_id": f"e{number}",
            "event_type": VISIT[kind],
            "user_id": f"user-{user}",
            "occurred_at": (START + timedelta(seconds=int(second))).isoformat(),
            "surface": "home",
            **acted,
        }
        yield msgspec.json.encode(event) + b"\n"
