"""What lies in the quarantine and why, and how it goes back: by default nothing is touched.

``python -m training.quarantine --lake-bucket B --stream S --table T [--export DIR | --mended DIR] [--apply]``

A record goes back into the stream if it can be read by now (its fault was in the code, a profile or the
catalogue), or if ``--mended`` holds a corrected event of its name; ``--export`` writes the originals to be
corrected. Each record is claimed before it is sent, by a conditional write, so that two operators, or one who
runs this twice, send it once. A claim that was interrupted before the record was sent is told; only
``--interrupted`` sends it again, and the window of event ids then drops a repeat. What its user has
had forgotten since is told, and stays.

Cost: one get an object of the quarantine, and a read of the table; two puts and a stream record for each that
goes back.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import boto3
import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from personalization.adapters.dynamodb import DynamoProfileStore
from personalization.adapters.kinesis import KinesisEventStream
from personalization.erasure import is_forgotten
from personalization.errors import CorruptData, InvalidInput, Unavailable
from personalization.events import Event, decode_event
from personalization.keys import QUARANTINE
from personalization.ports import EventStream, Tombstones

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class State(StrEnum):
    """What may become of a record."""

    READABLE = "goes back"
    UNREADABLE = "stays: correct it"
    INTERRUPTED = "was claimed, maybe sent"
    REPLAYED = "went back before"
    FORGOTTEN = "stays: its user was forgotten"


class Quarantined(Struct, omit_defaults=True, frozen=True):
    """A record as `S3Quarantine` keeps it, and what was done about it.

    Attributes
    ----------
    data
        The original bytes.
    claimed_at, replayed_at
        When it was taken to be sent, and when the stream had it.
    """

    reason: str
    shard: str
    sequence_number: str
    partition_key: str
    arrived_at: datetime
    data: bytes
    claimed_at: datetime | None = None
    replayed_at: datetime | None = None


@dataclass(frozen=True)
class Found:
    """An object of the quarantine, at one version."""

    key: str
    tag: str
    record: Quarantined

    @property
    def name(self) -> str:
        """Name of its file when exported."""
        return PurePosixPath(self.key).name


class Quarantine:
    """The objects under `quarantine/`."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def records(self) -> Iterator[Found]:
        """Yield all, the oldest day first.

        Raises
        ------
        CorruptData
            An object is no record; the message names it.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=QUARANTINE)
        for page in pages:
            for listed in page.get("Contents", []):
                answer = self._client.get_object(Bucket=self._bucket, Key=listed["Key"])
                try:
                    record = msgspec.json.decode(answer["Body"].read(), type=Quarantined)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise CorruptData(f"{listed['Key']}: {error}") from None
                yield Found(listed["Key"], answer["ETag"], record)

    def write(self, found: Found, record: Quarantined) -> Found | None:
        """Replace a record's object; None if it is no longer as it was found."""
        try:
            answer = self._client.put_object(
                Bucket=self._bucket, Key=found.key, Body=msgspec.json.encode(record), IfMatch=found.tag
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
                return None
            raise
        return Found(found.key, answer["ETag"], record)


def judge(found: Found, mended: Path | None, tombstones: Tombstones) -> tuple[State, Event | None]:
    """Tell what a record's state is, and the event that would go back. Cost: a read of the tombstone."""
    if found.record.replayed_at:
        return State.REPLAYED, None
    corrected = None if mended is None else mended / found.name
    data = corrected.read_bytes() if corrected and corrected.exists() else found.record.data
    try:
        event = decode_event(data)
    except InvalidInput:
        return State.UNREADABLE, None
    if not event.user_key and event.item is None:
        return State.UNREADABLE, None
    if is_forgotten(event, tombstones.erased_at([event.user_key]).get(event.user_key, 0)):
        return State.FORGOTTEN, None
    return State.INTERRUPTED if found.record.claimed_at else State.READABLE, event


def replay(found: Found, event: Event, *, quarantine: Quarantine, stream: EventStream, now: datetime) -> bool:
    """Claim a record, send it, and note that it went; False if somebody else has claimed it.

    Raises
    ------
    Unavailable
        The stream did not take it; the claim is given back.
    """
    claimed = quarantine.write(found, msgspec.structs.replace(found.record, claimed_at=now))
    if claimed is None:
        return False
    if stream.send([event]):
        quarantine.write(claimed, found.record)
        raise Unavailable(f"the stream took no more at {found.key}; run again")
    quarantine.write(claimed, msgspec.structs.replace(claimed.record, replayed_at=now))
    return True


def survey(
    quarantine: Quarantine, tombstones: Tombstones, *, mended: Path | None, export: Path | None
) -> tuple[Counter[tuple[str, State]], list[tuple[Found, State, Event | None]]]:
    """Count records by reason and state, and list those that could go back. Memory: those."""
    counts: Counter[tuple[str, State]] = Counter()
    able: list[tuple[Found, State, Event | None]] = []
    for found in quarantine.records():
        state, event = judge(found, mended, tombstones)
        counts[found.record.reason, state] += 1
        if state in (State.READABLE, State.INTERRUPTED):
            able.append((found, state, event))
        elif state is State.UNREADABLE and export is not None:
            export.mkdir(parents=True, exist_ok=True)
            (export / found.name).write_bytes(found.record.data)
    return counts, able


_HELP: Final = "Correct the files, then: --mended {folder} (dry run), and again with --apply"


def main(argv: Sequence[str] | None = None) -> int:
    """Print what lies there, and with ``--apply`` send back what can be; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m training.quarantine", description=__doc__)
    parser.add_argument("--lake-bucket", required=True)
    parser.add_argument("--stream", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--apply", action="store_true", help="send back what can go")
    parser.add_argument("--interrupted", action="store_true", help="also what was claimed and maybe sent")
    parser.add_argument("--export", type=Path, help="write what can't be read to this folder")
    parser.add_argument("--mended", type=Path, help="take corrected events from this folder")
    options = parser.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    quarantine = Quarantine(boto3.client("s3"), options.lake_bucket)
    tombstones = DynamoProfileStore(boto3.client("dynamodb"), options.table)
    counts, able = survey(quarantine, tombstones, mended=options.mended, export=options.export)
    table = Table("reason", "state", "records", title="quarantine")
    for (reason, state), count in sorted(counts.items()):
        table.add_row(reason, state, f"{count:,}")
    console.print(table)
    if options.export:
        console.print(_HELP.format(folder=options.export), markup=False)
    wanted = [row for row in able if options.interrupted or row[1] is State.READABLE]
    if not options.apply:
        console.print(f"{len(wanted):,} would go back with --apply; nothing was touched")
        return 0
    stream = KinesisEventStream(boto3.client("kinesis"), options.stream)
    now = datetime.now(UTC)
    sent = sum(
        replay(found, event, quarantine=quarantine, stream=stream, now=now)
        for found, _, event in wanted
        if event is not None
    )
    console.print(f"{sent:,} went back")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
