"""Profiles made anew from the lake, compared with those in the table, and put in their place if asked to.

``python -m training.rebuild --lake-bucket B --table T --token-secret-arn ARN [--apply]``

For a table that was restored from a backup, or lost, or whose reducer had a fault: a profile is what the lake
folds to, byte for byte, with its bookkeeping. Without ``--apply`` nothing is written. Events may go on
meanwhile: a user of whom the lake knows less than the table is left alone and counted as ahead; run it again.

Who had themselves forgotten stays so: the lake keeps the tombstones as well, and a table of before gets them
back.

Cost: one get an object of the lake, one read a user, one write a user that differs. Disk: the lake's events,
unpacked. Memory: the events of one of `SHARDS` parts of the users.
"""

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from uuid import uuid4
from zlib import crc32

import boto3
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import track
from rich.table import Table

from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from personalization.adapters.secrets import read_secret
from personalization.archiving import LakeLine, read_lines
from personalization.attribution import attribute
from personalization.erasure import is_forgotten, is_gone
from personalization.errors import Conflict, InvalidInput
from personalization.events import Event, decode_event
from personalization.keys import EVENTS
from personalization.ledger import Mark
from personalization.ports import ListStore, ProfileStore, UserState
from personalization.profile_encoding import encode
from personalization.profiles import Outcome, apply

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SHARDS: Final = 64
_USERS_A_READ: Final = 100
_WRITERS: Final = 8
_STREAMED: Final = re.compile(r"(\d+)-[^/]*\.jsonl\.gz$")
_IMPORTED: Final = re.compile(r"import-(\d+)-event-(\d+)")


class Place(Struct, frozen=True, order=True, array_like=True):
    """Where a record was applied: by time of arrival, then by its place in the stream or the import."""

    arrived_at: datetime
    epoch: int
    number: int
    imported: bool

    @property
    def mark(self) -> Mark:
        """How far the stream, or imports, were read when it was applied."""
        return Mark.of(self.epoch, str(self.number))


_encoder = msgspec.msgpack.Encoder()


def place_of(key: str, line: LakeLine) -> Place | None:
    """Tell a record's place by its object and line; None if it has none, as an imported item."""
    if line.sequence_number.isdecimal() and (named := _STREAMED.search(key)):
        return Place(line.arrived_at, int(named[1]), int(line.sequence_number), imported=False)
    if imported := _IMPORTED.fullmatch(line.sequence_number):
        return Place(line.arrived_at, int(imported[1]), int(imported[2]), imported=True)
    return None


def rebuilt(rows: Iterable[tuple[Place, Event]], token_secret: bytes, *, erased_at: int = 0) -> UserState:
    """Fold one user's records as `update_profiles` and `bulk_import` did; each once, in any order."""
    state = UserState(erased_at=erased_at)
    last: Place | None = None
    for place, event in sorted(rows, key=lambda row: row[0]):
        if place == last:
            continue
        last = place
        if place.imported:
            state.import_mark = max(state.import_mark, place.mark)
        else:
            state.mark = max(state.mark, place.mark)
        if is_forgotten(event, erased_at):
            continue
        known = not state.seen.add(event.event_id)
        if not known and apply(state.profile, event) is Outcome.APPLIED and not place.imported:
            attribute(event, token_secret, state.credited)
    return state


def spread(objects: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Sort the users' records of lake objects into `SHARDS` files."""
    with ExitStack() as files:
        parts = [files.enter_context((folder / str(shard)).open("wb")) for shard in range(SHARDS)]
        for key, body in objects:
            for line in read_lines(gzip.decompress(body).splitlines()):
                place = place_of(key, line)
                with suppress(InvalidInput):
                    if place is not None and line.event and (user := decode_event(line.event).user_key):
                        packed = _encoder.encode((place, bytes(line.event)))
                        part = parts[crc32(user.encode()) % SHARDS]
                        part.write(len(packed).to_bytes(4) + packed)


def read_shard(path: Path) -> dict[str, list[tuple[Place, Event]]]:
    """Read what `spread` wrote, by user."""
    users: dict[str, list[tuple[Place, Event]]] = {}
    decoder = msgspec.msgpack.Decoder(tuple[Place, bytes])
    with path.open("rb") as file:
        while size := file.read(4):
            place, text = decoder.decode(file.read(int.from_bytes(size)))
            event = decode_event(text)
            users.setdefault(event.user_key, []).append((place, event))
    return users


def compare(
    users: dict[str, UserState], profiles: ProfileStore, write: Callable[[str, UserState], bool] | None
) -> Counter[str]:
    """Hold rebuilt states against those stored; with `write`, put them in the place of those that differ."""
    outcomes: Counter[str] = Counter()
    for chunk in batched(users, _USERS_A_READ, strict=False):
        stored = profiles.load(chunk)
        differing = []
        for user in chunk:
            outcome = _outcome(users[user], stored[user])
            outcomes[outcome] += 1
            if outcome in ("missing", "different", "forgotten"):
                if outcome == "forgotten":
                    users[user].mark = max(users[user].mark, stored[user].mark)
                    users[user].import_mark = max(users[user].import_mark, stored[user].import_mark)
                users[user].version = stored[user].version
                users[user].refresh_due_at = stored[user].refresh_due_at
                differing.append(user)
        if write is not None:
            with ThreadPoolExecutor(_WRITERS) as pool:
                written = pool.map(write, differing, [users[user] for user in differing])
                for done in written:
                    outcomes["written" if done else "overtaken"] += 1
    return outcomes


def _outcome(rebuilt: UserState, stored: UserState) -> str:
    if stored.erased_at < rebuilt.erased_at:
        return "forgotten"
    if stored.version is None:
        return "missing"
    same = stored.unreadable is None and encode(stored.profile) == encode(rebuilt.profile)
    same &= stored.erased_at == rebuilt.erased_at
    if stored.mark > rebuilt.mark or stored.import_mark > rebuilt.import_mark:
        # The lines that the marks of a forgotten user tell of are gone.
        return "equal" if same and stored.erased_at else "ahead"
    return "equal" if same else "different"


def rebuild(
    objects: Iterable[tuple[str, bytes]],
    profiles: ProfileStore,
    lists: ListStore,
    *,
    erased: Mapping[str, int],
    token_secret: bytes,
    now: datetime,
    new_id: Callable[[], str],
    apply_changes: bool,
    console: Console,
) -> Counter[str]:
    """Rebuild every user of the lake's objects (key, body); return how many were found and done.

    Parameters
    ----------
    erased
        When users had themselves forgotten, in seconds since 1970.
    """

    def write(user: str, state: UserState) -> bool:
        try:
            profiles.save(user, state, version=new_id(), now=now)
        except Conflict:
            return False
        if state.erased_at:
            lists.delete_lists(user, built_before=None if is_gone(state) else state.erased_at)
        return True

    outcomes: Counter[str] = Counter()
    with TemporaryDirectory() as work:
        folder = Path(work)
        spread(track(objects, "reading the lake", console=console, transient=True), folder)
        for shard in track(range(SHARDS), "folding", console=console, transient=True):
            rows: dict[str, list[tuple[Place, Event]]] = {
                user: [] for user in erased if crc32(user.encode()) % SHARDS == shard
            }
            rows |= read_shard(folder / str(shard))
            states = {
                user: rebuilt(own, token_secret, erased_at=erased.get(user, 0)) for user, own in rows.items()
            }
            outcomes += compare(states, profiles, write if apply_changes else None)
    return outcomes


def lake_objects(client: "S3Client", bucket: str) -> Iterator[tuple[str, bytes]]:
    """Yield the lake's objects in order of key. Cost: one call for 1,000, and one get each."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=EVENTS):
        for found in page.get("Contents", []):
            yield found["Key"], client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


_MEANING: Final = {
    "equal": "the table holds what the lake folds to",
    "different": "it holds something else",
    "missing": "it holds nothing",
    "forgotten": "it does not know that they were forgotten",
    "ahead": "it knows of events that the lake does not show yet; run again",
    "written": "put in the table",
    "overtaken": "changed meanwhile, left alone; run again",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, or with ``--apply`` mend; returns 0 if table and lake agree, or were made to."""
    parser = argparse.ArgumentParser(prog="python -m training.rebuild", description=__doc__)
    parser.add_argument("--lake-bucket", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--token-secret-arn", required=True)
    parser.add_argument("--apply", action="store_true", help="write the profiles that differ")
    options = parser.parse_args(argv)
    console = Console(highlight=False)
    objects, records = boto3.client("s3"), boto3.client("dynamodb")
    outcomes = rebuild(
        lake_objects(objects, options.lake_bucket),
        DynamoProfileStore(records, options.table),
        DynamoListStore(records, options.table),
        erased=S3Erasures(objects, options.lake_bucket).tombstones(),
        token_secret=read_secret(boto3.client("secretsmanager"), options.token_secret_arn),
        now=datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        apply_changes=options.apply,
        console=console,
    )
    table = Table("profiles", "users", "", title="lake against table")
    for name, meaning in _MEANING.items():
        if outcomes[name]:
            table.add_row(name, f"{outcomes[name]:,}", meaning)
    console.print(table)
    wrong = outcomes["different"] + outcomes["missing"] + outcomes["forgotten"]
    if wrong and not options.apply:
        console.print(f"{wrong:,} profiles would be written with --apply", style="yellow")
    return 1 if wrong > outcomes["written"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
