"""A lake about one experiment, as the platform writes it: exposures, and events with signed receipts."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from factories import event, record
from personalization.archiving import archive
from personalization.events import Event
from personalization.experiments import Assignment
from personalization.exposures import Assigned, Exposure, encode_exposure
from personalization.keys import exposure_prefix
from personalization.names import Source
from personalization.ports import StreamRecord
from personalization.tokens import issue

SECRET = b"token-secret"
EXPERIMENT = "ranking"
ITEMS = [f"sku-{number}" for number in range(10)]


class Writes(Protocol):
    def put(self, key: str, body: bytes) -> Any: ...


@dataclass
class _Overwrites:
    """An archive over whatever can put objects."""

    target: Writes

    def put(self, key: str, body: bytes, *, overwrite: bool = True) -> bool:
        assert overwrite
        self.target.put(key, body)
        return True


@dataclass
class ExperimentLake:
    """Writes visits into a lake; `flush` makes objects of what came since the last one."""

    target: Writes
    secret: bytes = SECRET
    exposures: list[Exposure] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sequence: int = 0

    def visit(
        self,
        user: str,
        variant: str | None,
        at: datetime,
        *,
        clicks: int = 0,
        revenue: float | None = None,
        dwell: float | None = None,
        session: str | None = None,
        forced: bool = False,
        bot: bool = False,
        exposed: bool = True,
        country: str | None = None,
    ) -> str:
        """Show ten items at a time, and let the user act on some a minute later; return the receipt."""
        assigned = [(EXPERIMENT, variant)] if variant else []
        self.sequence += 1
        list_id = f"list-{user}-{self.sequence}"
        if exposed:
            self.exposures.append(
                Exposure(
                    request_id=f"request-{self.sequence}",
                    at=at,
                    user_key=user,
                    surface="home",
                    list_id=list_id,
                    source=Source.LIST,
                    assignments=tuple(Assigned(name, chosen, forced) for name, chosen in assigned),
                    session_id=session,
                    country=country,
                    bot=bot,
                )
            )
        counted = [] if forced else assigned
        receipt = issue(
            self.secret,
            list_id=list_id,
            user_key=user,
            surface="home",
            assignments=tuple(Assignment(name, chosen) for name, chosen in counted),
            model_version="v1",
            item_ids=ITEMS,
            issued_at=at,
        )
        common = {
            "user_key": user,
            "occurred_at": at + timedelta(minutes=1),
            "recommendation_id": receipt,
            "session_id": session,
            "bot": bot,
        }
        self.events.append(event("impression", item_ids=ITEMS, **common))
        self.events += [event("click", item, **common) for item in ITEMS[:clicks]]
        if revenue is not None:
            self.events.append(event("purchase", ITEMS[0], value=revenue, **common))
        if dwell is not None:
            self.events.append(event("dwell", ITEMS[0], value=dwell, **common))
        return receipt

    def flush(self, *, name: str = "") -> None:
        """Write one object of exposures a day, and one of events a day."""
        for day in sorted({row.at.date() for row in self.exposures}):
            rows = [row for row in self.exposures if row.at.date() == day]
            key = f"{exposure_prefix(rows[0].at)}stream-{name or self.sequence}.jsonl.gz"
            self.target.put(key, pack(encode_exposure(row) for row in rows))
        for day in sorted({row.received_at.date() for row in self.events}):
            rows = [row for row in self.events if row.received_at.date() == day]
            archive([self.record_of(row) for row in rows], epoch=1, lake=_Overwrites(self.target))
        self.exposures.clear()
        self.events.clear()

    def record_of(self, row: Event) -> StreamRecord:
        self.sequence += 1
        plain = record(row, self.sequence)
        return StreamRecord(
            plain.shard, plain.sequence_number, plain.partition_key, row.received_at, plain.data
        )


def pack(lines: Iterable[bytes]) -> bytes:
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
