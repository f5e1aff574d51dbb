"""The two kinds of data a demo runs on: a real log in a folder, or the project's synthetic shop.

Both say how likely a visitor clicks. In a synthetic shop the hidden tastes decide, and the same tastes give
the oracle's quality. In a real log a visitor clicks what they really came to later.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np

from infrastructure.local.demo.logs import Log, read_log
from training.shop import Shop
from training.synthetic import simulate, write_lines

SEED: Final = 1
USERS: Final = 1_500
ITEMS: Final = 600
DAYS: Final = 30
_CHANCE_OF_A_LATER_ITEM: Final = 0.8
_LIKED: Final = 3.5


class DemoData(Protocol):
    """A log, a catalogue, and its visitors."""

    @property
    def log(self) -> Log:
        """The log, cut in history and live events."""
        ...

    @property
    def items(self) -> Path:
        """The catalogue's file."""
        ...

    def likes(self, user_id: str, item_id: str, position: int) -> float:
        """Probability of a click."""
        ...

    def reference_quality(self, held_out: Mapping[str, str]) -> Mapping[str, float]:
        """NDCG@10 of yardsticks on held-out items by user; empty where there are none."""
        ...


@dataclass(frozen=True)
class SyntheticShop:
    """The project's own shop; its tastes are in this object and nowhere else."""

    shop: Shop
    log: Log
    items: Path

    @classmethod
    def open(
        cls, folder: Path, now: datetime, *, users: int = USERS, items: int = ITEMS, days: int = DAYS
    ) -> "SyntheticShop":
        """Simulate a shop whose log ends now; log and catalogue are written into `folder`."""
        shop = Shop.open(seed=SEED, users=users, items=items)
        write_lines(folder / "events.jsonl.gz", simulate(shop, days=days, seed=SEED, end=now))
        catalogue = folder / "items.jsonl.gz"
        write_lines(catalogue, [msgspec.json.encode(item) for item in shop.catalogue()])
        return cls(shop, read_log(folder / "events.jsonl.gz"), catalogue)

    def likes(self, user_id: str, item_id: str, position: int) -> float:
        """Ask the user's hidden taste; a visitor from outside the shop has none."""
        known = user_id in self.shop.user_ids
        return self.shop.click_probability(user_id, item_id, position) if known else 0.05

    def reference_quality(self, held_out: Mapping[str, str]) -> Mapping[str, float]:
        """Rank by true taste, and at random, what the user had not acted on in history."""
        chance = random.Random(SEED)  # noqa: S311 - a simulation
        oracle, blind = [], []
        rows = {item_id: row for row, item_id in enumerate(self.shop.item_ids)}
        had = self._had(rows)
        for user_id, item_id in held_out.items():
            worth = self.shop.oracle_scores(user_id)
            wanted = worth[rows[item_id]]
            worth[sorted(had.get(user_id, set()))] = -np.inf
            oracle.append(_gain(1 + int(np.sum(worth > wanted))))
            blind.append(_gain(chance.randint(1, int(np.sum(worth > -np.inf)) + 1)))
        return {"oracle (true tastes)": float(np.mean(oracle)), "random": float(np.mean(blind))}

    def _had(self, rows: Mapping[str, int]) -> dict[str, set[int]]:
        had: dict[str, set[int]] = {}
        for event in self.log.history:
            user_id, row = event.get("user_id"), rows.get(str(event.get("item_id")))
            if isinstance(user_id, str) and row is not None:
                had.setdefault(user_id, set()).add(row)
        return had


@dataclass(frozen=True)
class RealLog:
    """A folder with `events.jsonl.gz` and `items.jsonl.gz`."""

    log: Log
    items: Path
    later: frozenset[tuple[str, str]]

    @classmethod
    def open(cls, folder: Path) -> "RealLog":
        """Read a folder's log."""
        log = read_log(folder / "events.jsonl.gz")
        liked = (event.body for event in log.live if float(event.body.get("value", 5)) >= _LIKED)
        later = frozenset((str(body.get("user_id")), str(body.get("item_id"))) for body in liked)
        return cls(log, folder / "items.jsonl.gz", later)

    def likes(self, user_id: str, item_id: str, position: int) -> float:  # noqa: ARG002
        """Click what the same user came to later, mostly."""
        return _CHANCE_OF_A_LATER_ITEM if (user_id, item_id) in self.later else 0.01

    def reference_quality(self, held_out: Mapping[str, str]) -> Mapping[str, float]:  # noqa: ARG002
        """Nobody knows the truth of a real log."""
        return {}


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 1) if rank <= 10 else 0.0
