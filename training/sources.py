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
_DAY_FOLDER: Final = re.compile(r"date=(\d{4}-\d{2}-\d{2})")


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a JSONL file, gzipped if its name ends in ``.gz``."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def lake_events(folder: Path) -> Iterator[Event]:
    """Yield the events below a folder of lake objects, each record once, objects in order of name.

    Memory: 139 bytes a record of two days of the stream, and of every import. Events that break their
    contract are passed over.
    """
    known = KnownRecords()
    for path in sorted(folder.rglob("*.jsonl.gz")):
        day = _DAY_FOLDER.search(path.parent.name)
        if day:
            known.forget(before=date.fromisoformat(day[1]) - timedelta(days=1))
        for line in read_lines(lines_of(path)):
            if known.add(line) and line.event:
                try:
                    yield decode_event(line.event)
                except InvalidInput:
                    continue


@dataclass
class KnownRecords:
    """Sequence numbers of the records read, the stream's by day of arrival, an import's for good.

    A batch that Lambda cuts anew rests under the day of its first record, so a record may lie in folders of
    its own day and of earlier ones, never of later ones; one day more makes up for clocks that differ. An
    import that is run again, though, files its records under another day.
    """

    streamed: dict[date, set[str]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)

    def forget(self, *, before: date) -> None:
        """Drop the days in [.., before)."""
        self.streamed = {day: numbers for day, numbers in self.streamed.items() if day >= before}

    def add(self, line: LakeLine) -> bool:
        """Remember a record; return False if it is known already."""
        number = line.sequence_number
        # Kinesis numbers its records with digits; an import names them.
        streamed = number.isdecimal()
        numbers = self.streamed.setdefault(line.arrived_at.date(), set()) if streamed else self.imported
        count = len(numbers)
        numbers.add(number)
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
                yield accept(sent, user_key=sent.user_id, received_at=sent.occurred_at, is_bot=is_bot)
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
