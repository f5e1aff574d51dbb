"""Writes the log of a seeded synthetic shop, with what real logs hold: bots, repeats, late and broken events.

``python -m training.synthetic --output DIR [--users N] [--items N] [--days D] [--seed S] [--end TIME]``

Lines of ``events.jsonl.gz`` are in the order of sending. Neither they nor ``items.jsonl.gz`` hold a taste:
those live in `training.shop.Shop` only.
"""

import argparse
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from rich.console import Console

from personalization.events import EventType
from personalization.profiles import at_seconds
from training.shop import COUNTRIES, DEVICES, REFERRERS, Doubles, Shop, country_of, device_of, referrer_of
from training.visits import Visits, visit

REPEATED: Final = 0.01
LATE: Final = 0.01
BROKEN: Final = 0.005
_LATE_HOURS: Final = ((1.0, 48.0), (200.0, 330.0))
"""Phones that were offline for a while, and, a third of them, for longer than the late window."""
_CRAWLER: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
Json = dict[str, Any]


def simulate(shop: Shop, *, days: int, seed: int, end: datetime) -> list[bytes]:
    """Return the log's lines in the order of sending; the newest event happens at `end`."""
    chance = np.random.default_rng([seed, days])
    visits = visit(shop, days=days, chance=chance)
    happened = visits.at - visits.at.max() + at_seconds(end)
    sent = happened + _delays(happened, at_seconds(end), chance)
    order = np.argsort(sent, kind="stable")
    lines = _Lines(shop, visits, happened)
    rows = [lines.body(row) for row in order.tolist()]
    return list(_troubled(rows, chance))


def _delays(happened: Doubles, end: int, chance: np.random.Generator) -> Doubles:
    """Seconds from happening to sending; none is sent after the end."""
    (soon, soon_to), (long, long_to) = _LATE_HOURS
    size = len(happened)
    hours = np.where(
        chance.random(size) < 2 / 3, chance.uniform(soon, soon_to, size), chance.uniform(long, long_to, size)
    )
    late = (chance.random(size) < LATE) & (happened + hours * 3600 <= end)
    return np.where(late, hours * 3600, 0.0)


@dataclass(frozen=True)
class _Lines:
    """Spells simulated acts as clients send them."""

    shop: Shop
    visits: Visits
    happened: Doubles

    def body(self, row: int) -> Json:
        visits = self.visits
        kind = visits.kinds[visits.kind[row]]
        user = int(visits.user[row])
        at = datetime.fromtimestamp(int(self.happened[row]), UTC)
        body: Json = {
            "event_id": f"e{row:07d}",
            "event_type": kind,
            "user_id": self._name(user),
            "occurred_at": at.isoformat().replace("+00:00", "Z"),
            "session_id": f"s{visits.slate[row]:06d}",
            "surface": "home",
            "context": self._context(user),
        }
        if kind is EventType.IMPRESSION:
            return body | {"item_ids": [self.shop.item_ids[item] for item in visits.shown(row)]}
        body["item_id"] = self.shop.item_ids[visits.item[row]]
        if kind is EventType.CLICK:
            body["position"] = int(visits.position[row])
        if visits.value[row] > 0:
            body["value"] = round(float(visits.value[row]), 2)
        return body

    def _name(self, user: int) -> str:
        return f"user-{user:05d}"

    def _context(self, user: int) -> Json:
        """Stable by user; bots declare themselves."""
        known = {
            "country": COUNTRIES[country_of(user)],
            "device": DEVICES[device_of(user)],
            "referrer": REFERRERS[referrer_of(user)],
        }
        return known | {"user_agent": _CRAWLER} if user >= len(self.shop.tastes) else known


def _troubled(rows: Sequence[Json], chance: np.random.Generator) -> Iterator[bytes]:
    """Encode events; some are sent again a little later, and broken ones come in between."""
    repeated = chance.random(len(rows)) < REPEATED
    broken = np.flatnonzero(chance.random(len(rows)) < BROKEN)
    damage = dict(zip(broken.tolist(), chance.integers(5, size=len(broken)).tolist(), strict=True))
    again: dict[int, Json] = {}
    gaps = chance.integers(1, 200, size=len(rows))
    for number, row in enumerate(rows):
        if repeated[number]:
            again[number + int(gaps[number])] = row
        if number in damage:
            yield _broken(row, damage[number], number)
        yield msgspec.json.encode(row)
        if number in again:
            yield msgspec.json.encode(again.pop(number))
    yield from (msgspec.json.encode(row) for row in again.values())


def _broken(row: Json, damage: int, number: int) -> bytes:
    """Spoil a copy of an event in one of five ways; each is refused with its own reason."""
    body = row | {"event_id": f"b{number:07d}"}
    if damage == 0:
        return msgspec.json.encode(body)[:-20]
    if damage == 1:
        body["event_type"] = "clikc"
    elif damage == 2:
        body["occurred_at"] = "yesterday"
    elif damage == 3:
        body["value"] = -1.0
    else:
        body = {name: value for name, value in body.items() if name not in ("item_id", "item_ids")}
    return msgspec.json.encode(body)


def write_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Write gzipped lines; equal lines give equal bytes."""
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), 6, mtime=0))


def main(argv: Sequence[str] | None = None) -> int:
    """Write a shop's catalogue and log."""
    parser = argparse.ArgumentParser(prog="python -m training.synthetic")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--users", type=int, default=1_500)
    parser.add_argument("--items", type=int, default=600)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end", type=datetime.fromisoformat, default=datetime.now(UTC))
    arguments = parser.parse_args(argv)
    shop = Shop.open(seed=arguments.seed, users=arguments.users, items=arguments.items)
    lines = simulate(shop, days=arguments.days, seed=arguments.seed, end=arguments.end)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_lines(arguments.output / "events.jsonl.gz", lines)
    items = [msgspec.json.encode(item) for item in shop.catalogue()]
    write_lines(arguments.output / "items.jsonl.gz", items)
    Console(stderr=True).print(f"{len(lines)} lines of events, {len(items)} items in {arguments.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
