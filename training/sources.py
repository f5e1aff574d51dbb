"""Where training reads events from: the lake's objects, or a client's own export.

A source is called for each pass over the data and yields canonical events; nothing is held in memory but the
sequence numbers that tell repeated records.
"""

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Final

from crawleruseragents import is_crawler

from personalization.archiving import LakeLine, read_lines
from personalization.errors import InvalidEvent, InvalidInput
from personalization.events import Event, Item, accept, decode_client_event, decode_event, decode_item

Source = Callable[[], Iterator[Event]]
MAX_EXAMPLES: Final = 5
LAST_INSTANT: Final = datetime.fromtimestamp(2**32 - 1, UTC)
"""Profiles pack times into 32 bits."""
READ, REPEATED, UNREADABLE = "read", "repeated", "unreadable"
"""What a record of the lake may be."""
_DAY_FOLDER: Final = re.compile(r"date=(\d{4}-\d{2}-\d{2})")


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a JSONL file, gzipped if its name ends in ``.gz``."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def lake_events(folder: Path) -> Iterator[Event]:
    """Yield the events below a folder of lake objects, each record once, objects in order of name.

    Events that break their contract are passed over.
    """
    known = KnownRecords()
    for day, paths in lake_days(folder).items():
        yield from day_events(day, paths, known)


def lake_days(folder: Path) -> dict[date, list[Path]]:
    """Find the objects below a folder, by day and in order of name; those of no day's folder come first."""
    days: dict[date, list[Path]] = {}
    for path in sorted(folder.rglob("*.jsonl.gz")):
        day = _DAY_FOLDER.search(path.parent.name)
        days.setdefault(date.fromisoformat(day[1]) if day else date.min, []).append(path)
    return dict(sorted(days.items()))


def day_events(
    day: date,
    paths: Sequence[Path],
    known: "KnownRecords",
    count: Callable[[LakeLine, str], None] | None = None,
) -> Iterator[Event]:
    """Yield the events of one day's objects that are not known yet; days have to be read in order.

    `count` hears of each record: that it is an event, repeated or unreadable (`READ`, …).
    """
    if day > date.min:
        known.forget(before=day - timedelta(days=1))
    for line in chain.from_iterable(read_lines(lines_of(path)) for path in paths):
        event = _event_of(line) if (new := known.add(line)) else None
        if count is not None:
            count(line, READ if event is not None else UNREADABLE if new else REPEATED)
        if event is not None:
            yield event


def _event_of(line: LakeLine) -> Event | None:
    try:
        return decode_event(line.event) if line.event else None
    except InvalidInput:
        return None


@dataclass
class KnownRecords:
    """Identities of the records read, the stream's by day of arrival, an import's for good.

    A batch that Lambda cuts anew rests under the day of its first record, so a record may lie in folders of
    its own day and of earlier ones, never of later ones; one day more makes up for clocks that differ. An
    import that is run again, though, files its records under another day.

    They are kept as 64-bit hashes: 65 bytes a record of two days of the stream, and of every import. Any
    two of 100 million collide with probability 3e-4, and then one of them is missed.
    """

    streamed: dict[date, set[int]] = field(default_factory=dict)
    imported: set[int] = field(default_factory=set)

    def forget(self, *, before: date) -> None:
        """Drop the days in [.., before)."""
        self.streamed = {day: numbers for day, numbers in self.streamed.items() if day >= before}

    def add(self, line: LakeLine) -> bool:
        """Remember a record; return False if it is known already."""
        # Kinesis numbers its records with digits; an import names them.
        streamed = line.sequence_number.isdecimal()
        numbers = self.streamed.setdefault(line.arrived_at.date(), set()) if streamed else self.imported
        count = len(numbers)
        numbers.add(int.from_bytes(blake2b(line.identity.encode(), digest_size=8).digest()))
        return len(numbers) > count


@dataclass
class Rejects:
    """Lines that could not be read: how many by code, and the first few with their reason."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, place: str, error: InvalidInput) -> None:
        """Count one line."""
        self.counts[error.code] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{place}: {error}")


def exported_events(paths: Sequence[Path], rejects: Rejects) -> Iterator[Event]:
    """Yield the events of a client's export; users keep their own id, and arrival is occurrence.

    `rejects` is emptied first: it tells of one pass, however often the files are read.
    """
    rejects.counts.clear()
    rejects.examples.clear()
    is_bot = cache(is_crawler)
    for path in paths:
        for number, line in enumerate(lines_of(path), 1):
            try:
                sent = decode_client_event(line)
                if sent.occurred_at > LAST_INSTANT:
                    raise InvalidEvent("occurred_in_future", "occurred_at lies after 2106")
                yield accept(
                    sent,
                    user_key=sent.user_id,
                    visitor_key=sent.visitor_id or "",
                    received_at=sent.occurred_at,
                    is_bot=is_bot,
                )
            except InvalidInput as error:
                rejects.add(f"{path.name}:{number}", error)


def exported_items(path: Path, rejects: Rejects) -> list[Item]:
    """Read a catalogue export; of an item named twice the last line counts."""
    items: dict[str, Item] = {}
    for number, line in enumerate(lines_of(path), 1):
        try:
            item = decode_item(line)
            items[item.item_id] = item
        except InvalidInput as error:
            rejects.add(f"{path.name}:{number}", error)
    return list(items.values())


def catalogue(events: Iterable[Event]) -> dict[str, Item]:
    """Collect the latest version of each item from `item_upserted` events."""
    latest: dict[str, tuple[float, Item]] = {}
    for event in events:
        if event.item is not None:
            at = event.occurred_at.timestamp()
            if event.item.item_id not in latest or latest[event.item.item_id][0] <= at:
                latest[event.item.item_id] = (at, event.item)
    return {item_id: item for item_id, (_, item) in latest.items()}
