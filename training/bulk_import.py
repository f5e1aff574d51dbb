"""Move history in: old events and the catalogue, into lake and table alike, by the live reducer.

``python -m training.bulk_import --events FILE... --items FILE --table T --lake-bucket B
--user-key-secret-arn ARN``

An imported event was received when it happened, and enters as far as its user's consent lets it. Each user's
mark remembers how far an import came, as (import number, line): running the same import again, or after a
crash, changes nothing. A number belongs to its files for good: another import under it is refused. Cost: one
pass over the events, two reads and one conditional write a user and chunk, one object a chunk; a visitor who
turned out to be a user costs a few more (`Importer._identify`, `visitors.Person.save`). Memory: one chunk.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import blake2b, file_digest
from itertools import batched, chain
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import boto3
import msgspec
from crawleruseragents import is_crawler
from rich.console import Console
from rich.progress import track

from personalization.adapters.dynamodb import DynamoCatalog, DynamoProfileStore
from personalization.adapters.s3 import S3Archive
from personalization.adapters.secrets import read_secret
from personalization.archiving import LakeLine, pack
from personalization.consent import admitted
from personalization.erasure import is_forgotten
from personalization.errors import InvalidInput
from personalization.events import (
    Event,
    Item,
    accept,
    decode_client_event,
    decode_item,
    encode_event,
    upsert_item,
)
from personalization.identity import user_key
from personalization.keys import imported_object
from personalization.ledger import Mark
from personalization.names import Consent
from personalization.ports import Archive, Catalog, ItemChange, ProfileStore, UserState
from personalization.profiles import Outcome
from personalization.visitors import Person, identify, person_of
from training.sources import lines_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_EVENTS: Final = 100_000
_WRITERS: Final = 8
Numbered = tuple[int, Event]


@dataclass
class ImportReport:
    """What became of the lines: read = rejected + erased + applied + duplicate + filtered + passed over."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Lines read."""
        return sum(self.outcomes.values())


@dataclass(frozen=True)
class Importer:
    """Folds history into profiles and writes it to the lake.

    Parameters
    ----------
    number
        1 to 999,999,999. More history later needs a higher number, so that it is told from a repetition.
    arrived_at
        The day of the lake that the import is filed under.
    """

    profiles: ProfileStore
    catalog: Catalog
    lake: Archive
    secret: bytes
    number: int
    arrived_at: datetime
    is_bot: Callable[[str], bool]
    new_id: Callable[[], str]
    consent_default: Consent = Consent.PERSONALIZATION

    def events(self, lines: Iterable[bytes], report: ImportReport) -> None:
        """Import client events, one JSON object a line; broken lines are counted with their reason.

        What users did before they had themselves forgotten is left out, of the lake as well.
        """
        for chunk in batched(self._parse(lines, report), CHUNK_EVENTS, strict=False):
            states = self.profiles.load({event.user_key for _, event in chunk})
            living = [row for row in chunk if not is_forgotten(row[1], states[row[1].user_key].erased_at)]
            if len(living) < len(chunk):
                report.outcomes["erased"] += len(chunk) - len(living)
            kept = list(self._admitted(living, states, report))
            self._write_lake((f"event-{number}", event) for number, event in kept)
            self._fold(kept, report)

    def items(self, lines: Iterable[bytes], report: ImportReport) -> None:
        """Import the catalogue, one JSON object a line."""
        for chunk in batched(self._parse_items(lines, report), CHUNK_EVENTS, strict=False):
            self._write_lake(
                (
                    f"item-{item.item_id}",
                    upsert_item(item, event_id=item.item_id, received_at=self.arrived_at),
                )
                for item in chunk
            )
            shards = [chunk[start::_WRITERS] for start in range(_WRITERS)]
            with ThreadPoolExecutor(_WRITERS) as pool:
                list(pool.map(self._put_items, filter(None, shards)))
            report.outcomes["items"] += len(chunk)

    def _put_items(self, items: Sequence[Item]) -> None:
        self.catalog.put([ItemChange(item, Mark.of(self.number, "0")) for item in items])

    def _parse(self, lines: Iterable[bytes], report: ImportReport) -> Iterator[Numbered]:
        key_of = cache(partial(user_key, self.secret))
        for number, line in enumerate(lines, 1):
            try:
                sent = decode_client_event(line)
                received_at = min(sent.occurred_at, self.arrived_at)
                event = accept(
                    sent,
                    user_key=key_of(sent.user_id),
                    visitor_key=key_of(sent.visitor_id) if sent.visitor_id else "",
                    received_at=received_at,
                    is_bot=self.is_bot,
                )
            except InvalidInput as error:
                report.outcomes["rejected"] += 1
                report.reasons[error.code] += 1
            else:
                yield number, event

    def _parse_items(self, lines: Iterable[bytes], report: ImportReport) -> Iterator[Item]:
        for line in lines:
            try:
                yield decode_item(line)
            except InvalidInput as error:
                report.outcomes["rejected"] += 1
                report.reasons[error.code] += 1

    def _admitted(
        self, chunk: Sequence[Numbered], states: Mapping[str, UserState], report: ImportReport
    ) -> Iterator[Numbered]:
        """Leave of events what consent allows: that of the table, and then what the history itself says."""
        standings = {user: state.profile.standing(self.consent_default) for user, state in states.items()}
        for number, event in chunk:
            user = event.user_key
            try:
                kept = admitted(event, standings[user], name=partial(_digest, self.secret, user))
            except InvalidInput as error:
                report.outcomes["rejected"] += 1
                report.reasons[error.code] += 1
            else:
                standings[user] = standings[user].after(kept)
                yield number, kept

    def _write_lake(self, numbered: Iterable[tuple[str, Event]]) -> None:
        """Write one object named by its content; readers know a line again by import and place in it."""
        body = pack(
            LakeLine(f"import-{self.number}-{place}", self.arrived_at, msgspec.Raw(encode_event(event)))
            for place, event in numbered
        )
        digest = blake2b(body, digest_size=16).hexdigest()
        self.lake.put(imported_object(self.arrived_at, digest=digest), body)

    def _fold(self, chunk: Sequence[Numbered], report: ImportReport) -> None:
        self._identify(chunk)
        by_user: dict[str, list[Numbered]] = {}
        for number, event in chunk:
            if event.anonymous:
                report.outcomes["filtered"] += 1
            else:
                by_user.setdefault(event.user_key, []).append((number, event))
        states = self.profiles.load(by_user)
        by_holder: dict[str, list[str]] = {}
        # Who was merged into nobody comes first: visitors are folded into what that left.
        for user in sorted(by_user, key=lambda user: states[user].merged_into):
            holder = person_of(self.profiles, user, states[user]).holder_key
            by_holder.setdefault(holder, []).append(user)

        def write(users: Sequence[str]) -> Counter[str]:
            """Fold a user's own events, then those of their visitors, one after the other."""
            outcomes: Counter[str] = Counter()
            for user in users:
                person = person_of(self.profiles, user, states[user])
                folded = self._fold_user(person, by_user[user])
                if folded["passed_over"] < len(by_user[user]):
                    person.save(self.profiles, version=self.new_id(), now=self.arrived_at)
                outcomes += folded
            return outcomes

        with ThreadPoolExecutor(_WRITERS) as pool:
            for outcomes in pool.map(write, by_holder.values()):
                report.outcomes.update(outcomes)

    def _identify(self, chunk: Sequence[Numbered]) -> None:
        """Merge visitors in the order of the lines: whose one is must not hang on which thread is first.

        Cost: two reads and a transaction for each, one after the other.
        """
        for number, event in chunk:
            if event.visitor_key:
                state = self.profiles.load([event.user_key])[event.user_key]
                if Mark.of(self.number, str(number)) > state.import_mark:
                    person = person_of(self.profiles, event.user_key, state)
                    identify(self.profiles, person, event, version=self.new_id(), now=self.arrived_at)

    def _fold_user(self, person: Person, events: Sequence[Numbered]) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        for number, event in events:
            mark = Mark.of(self.number, str(number))
            if mark <= person.own.import_mark:
                outcomes["passed_over"] += 1
                continue
            person.own.import_mark = mark
            outcome = person.take(event)
            counted = outcome in (Outcome.APPLIED, Outcome.DUPLICATE)
            outcomes[outcome.value if counted else "filtered"] += 1
        return outcomes


def _digest(secret: bytes, user: str, text: str) -> str:
    return user_key(secret, f"{user}\n{text}")


def digest_of(files: Sequence[Path]) -> str:
    """Digest the files' contents, in order."""
    digest = blake2b(digest_size=16)
    for path in files:
        with path.open("rb") as file:
            digest.update(file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def claim_number(client: "S3Client", bucket: str, number: int, digest: str) -> bool:
    """Take a number for files; return False if it belongs to others. The same files may take it again."""
    key = f"imports/{number}"
    try:
        return client.get_object(Bucket=bucket, Key=key)["Body"].read().decode() == digest
    except client.exceptions.NoSuchKey:
        client.put_object(Bucket=bucket, Key=key, Body=digest.encode())
        return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run an import and print its report."""
    parser = argparse.ArgumentParser(prog="python -m training.bulk_import")
    parser.add_argument("--events", type=Path, nargs="+", default=[], help="JSONL of client events")
    parser.add_argument("--items", type=Path, help="JSONL of catalogue items")
    parser.add_argument("--table", required=True)
    parser.add_argument("--lake-bucket", required=True)
    parser.add_argument("--user-key-secret-arn", required=True)
    parser.add_argument(
        "--consent-default",
        type=Consent,
        choices=list(Consent),
        default=Consent.PERSONALIZATION,
        help="of users of whom neither the table nor the history knows a word",
    )
    parser.add_argument("--number", type=int, default=1, help="raise it to import more history later")
    arguments = parser.parse_args(argv)
    table, objects = boto3.client("dynamodb"), boto3.client("s3")
    importer = Importer(
        profiles=DynamoProfileStore(table, arguments.table),
        catalog=DynamoCatalog(table, arguments.table),
        lake=S3Archive(objects, arguments.lake_bucket),
        secret=read_secret(boto3.client("secretsmanager"), arguments.user_key_secret_arn),
        number=arguments.number,
        arrived_at=datetime.now(UTC),
        is_bot=cache(is_crawler),
        new_id=lambda: uuid4().hex,
        consent_default=arguments.consent_default,
    )
    report = ImportReport()
    console = Console(stderr=True)
    files = [*arguments.events, *([arguments.items] if arguments.items else [])]
    if not claim_number(objects, arguments.lake_bucket, arguments.number, digest_of(files)):
        console.print(f"import {arguments.number} was of other files; choose a higher --number", style="red")
        return 1
    if arguments.items:
        importer.items(track(lines_of(arguments.items), "catalogue", console=console), report)
    events = chain.from_iterable(lines_of(path) for path in arguments.events)
    importer.events(track(events, "history", console=console), report)
    console.print({**report.outcomes, "reasons": dict(report.reasons)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
