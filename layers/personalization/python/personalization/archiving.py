"""The lake's format: gzipped JSON lines of ``{"sequence_number", "arrived_at", "event" or "raw", "shard"}``.

A batch becomes one object under a key made of epoch, shard and first sequence number, so a retry
overwrites it. A batch that Lambda cuts differently on retry may overlap; `read_lines` drops repeats by
shard and sequence number. A record that is not JSON is kept as base64 under ``raw``.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from personalization.errors import CorruptData, InvalidInput
from personalization.events import Event, decode_event
from personalization.keys import event_object
from personalization.ports import Archive, StreamRecord

_GZIP_LEVEL = 6
_encoder = msgspec.json.Encoder()


class LakeLine(Struct, omit_defaults=True, frozen=True):
    """One archived record.

    Attributes
    ----------
    shard
        Epoch and shard, within which a sequence number is unique; empty for an import: it names its records.
    """

    sequence_number: Annotated[str, Meta(min_length=1)]
    arrived_at: datetime
    event: msgspec.Raw = msgspec.Raw()
    raw: bytes = b""
    shard: str = ""

    @property
    def identity(self) -> str:
        """Name of the record, the same however often it was archived."""
        return f"{self.shard}/{self.sequence_number}"


_line_decoder = msgspec.json.Decoder(LakeLine)
_json = msgspec.json.Decoder(msgspec.Raw)


def archive(records: Sequence[StreamRecord], *, epoch: int, lake: Archive) -> int:
    """Write a batch, one object a shard; return the number of records. Cost: one put a batch."""
    for shard, rows in groupby(records, key=lambda record: record.shard):
        batch = list(rows)
        first = batch[0]
        key = event_object(first.arrived_at, epoch=epoch, shard=shard, first_sequence=first.sequence_number)
        lake.put(key, pack(_line(record, epoch) for record in batch))
    return len(records)


def pack(lines: Iterable[LakeLine]) -> bytes:
    """Encode lines as an object's body; equal lines give equal bytes."""
    body = bytearray()
    for line in lines:
        body += _encoder.encode(line)
        body += b"\n"
    return gzip.compress(bytes(body), _GZIP_LEVEL, mtime=0)


def _line(record: StreamRecord, epoch: int) -> LakeLine:
    shard = f"{epoch}-{record.shard}"
    try:
        event = _json.decode(record.data)
        if b"\n" in record.data or b"\r" in record.data:
            event = msgspec.Raw(msgspec.json.format(event, indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return LakeLine(record.sequence_number, record.arrived_at, raw=record.data, shard=shard)
    return LakeLine(record.sequence_number, record.arrived_at, event=event, shard=shard)


def read_lines(lines: Iterable[bytes]) -> Iterator[LakeLine]:
    """Parse the lines of lake objects, each record once. Memory: O(records) identities.

    Raises
    ------
    CorruptData
        A line is none of the lake's.
    """
    known: set[str] = set()
    for text in lines:
        try:
            line = _line_decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CorruptData(f"a line of the lake can't be read: {error}") from None
        if line.identity not in known:
            known.add(line.identity)
            yield line


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Parse the valid events of lake objects, each record once; quarantined ones are passed over."""
    for line in read_lines(lines):
        if line.event:
            try:
                yield decode_event(line.event)
            except InvalidInput:
                continue
