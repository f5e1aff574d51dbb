"""Profiles made anew from the lake, compared with those in the table, and put in their place if asked to.

``python -m training.rebuild --lake-bucket B --table T --token-secret-arn ARN [--apply]``

For a table that was restored from a backup, or lost, or whose reducer had a fault: a profile is what the lake
folds to, byte for byte, with its bookkeeping. Without ``--apply`` nothing is written. Events may go on
meanwhile: a user of whom the lake knows less than the table is left alone and counted as ahead; run it again.

Who had themselves forgotten stays so: the lake keeps the tombstones as well, and a table of before gets them
back.

Cost: one get an object of the lake, two reads a user, one write a user that differs. Disk: the lake's events,
unpacked. Memory: the events of one of `SHARDS` parts of the users, and 500 bytes for each who was merged or
erased.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import reduce
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import boto3
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from personalization.adapters.secrets import RotatedSecret
from personalization.attribution import attribute
from personalization.erasure import is_forgotten, is_gone
from personalization.errors import Conflict
from personalization.keys import EVENTS
from personalization.ports import ListStore, ProfileStore, UserState
from personalization.profile_encoding import encode
from personalization.profile_merging import merge
from personalization.profiles import Outcome, apply, forgotten
from personalization.tokens import Keys
from training.lake_shards import SHARDS, Place, Row, gather, read_shard, spread, users_of
from training.persons import Person, Word, persons_of, redirects, words_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_USERS_A_READ: Final = 100
_WRITERS: Final = 8
_TO_WRITE: Final = ("missing", "different", "forgotten")


def rebuilt(rows: Iterable[Row], token_secret: Keys, *, erased_at: int = 0) -> UserState:
    """Fold one key's records as `update_profiles` and `bulk_import` did; each once, in any order.

    What was received before `erased_at`, in seconds since 1970, reaches no profile.
    """
    state = UserState()
    last: Place | None = None
    for place, event in sorted(rows, key=lambda row: row[0]):
        if place == last:
            continue
        last = place
        if place.imported:
            state.import_mark = max(state.import_mark, place.mark)
        else:
            state.mark = max(state.mark, place.mark)
        if is_forgotten(event, erased_at) or not state.seen.add(event.event_id):
            continue
        if apply(state.profile, event) is Outcome.APPLIED and not place.imported:
            attribute(event, token_secret, state.credited)
    return state


def folded(
    person: Person,
    rows: Mapping[str, Sequence[Row]],
    stored: Mapping[str, UserState],
    erased: Mapping[str, int],
    token_secret: Keys,
) -> dict[str, UserState]:
    """Fold the records of a user and of the visitors they were; the user has all of their profiles.

    `erased` has the tombstones that the lake keeps, which a table of before may not know.
    """
    states: dict[str, UserState] = {}
    buried = {key: max(stored[key].erased_at, erased.get(key, 0)) for key in person.keys}
    for key in person.keys:
        erased_at = max(buried[key], buried[person.user])
        state = states[key] = rebuilt(rows.get(key, ()), token_secret, erased_at=erased_at)
        state.version, state.refresh_due_at = stored[key].version, stored[key].refresh_due_at
        state.erased_at, state.merged_into = buried[key], person.merged_into.get(key, "")
        if stored[key].erased_at < buried[key]:
            state.mark = max(state.mark, stored[key].mark)
            state.import_mark = max(state.import_mark, stored[key].import_mark)
    profile = reduce(merge, (state.profile for state in states.values()))
    for key, state in states.items():
        state.profile = profile if key == person.user else forgotten(state.profile)
    return states


def compare(
    persons: Iterable[Person],
    rows: Mapping[str, Sequence[Row]],
    profiles: ProfileStore,
    *,
    token_secret: Keys,
    erased: Mapping[str, int],
    write: Callable[[str, UserState], bool] | None,
) -> Counter[str]:
    """Hold rebuilt states against those stored; with `write`, put them in the place of those that differ."""
    outcomes: Counter[str] = Counter()
    for chunk in batched(persons, _USERS_A_READ, strict=False):
        stored = profiles.load([key for person in chunk for key in person.keys])
        differing: dict[str, UserState] = {}
        for person in chunk:
            states = folded(person, rows, stored, erased, token_secret)
            found = {key: _outcome(state, stored[key]) for key, state in states.items()}
            if "ahead" in found.values():
                found = dict.fromkeys(found, "ahead")
            outcomes.update(found.values())
            differing |= {key: states[key] for key in found if found[key] in _TO_WRITE}
        if write is not None:
            with ThreadPoolExecutor(_WRITERS) as pool:
                for done in pool.map(write, differing, differing.values()):
                    outcomes["written" if done else "overtaken"] += 1
    return outcomes


def _outcome(rebuilt: UserState, stored: UserState) -> str:
    if stored.erased_at < rebuilt.erased_at:
        return "forgotten"
    if stored.version is None:
        return "missing"
    same = stored.unreadable is None and encode(stored.profile) == encode(rebuilt.profile)
    same &= (stored.erased_at, stored.merged_into) == (rebuilt.erased_at, rebuilt.merged_into)
    if stored.mark > rebuilt.mark or stored.import_mark > rebuilt.import_mark:
        # The lines that the marks of a forgotten user tell of are gone.
        return "equal" if same and stored.erased_at else "ahead"
    if stored.merged_into and not rebuilt.merged_into:
        return "ahead"
    return "equal" if same else "different"


def rebuild(
    objects: Iterable[tuple[str, bytes]],
    profiles: ProfileStore,
    lists: ListStore,
    *,
    erased: Mapping[str, int],
    token_secret: Keys,
    now: datetime,
    new_id: Callable[[], str],
    apply_changes: bool,
    console: Console,
    users: frozenset[str] | None = None,
) -> Counter[str]:
    """Rebuild all users of the lake's objects (key, body), or those given; return what became of how many.

    Parameters
    ----------
    erased
        When users had themselves forgotten, in seconds since 1970.
    users
        Whom to rebuild, with whoever they turned out to be.
    """

    def write(user: str, state: UserState) -> bool:
        try:
            if state.merged_into:
                profiles.save_together({user: state}, version=new_id(), now=now)
            else:
                profiles.save(user, state, version=new_id(), now=now)
        except Conflict:
            return False
        if state.erased_at:
            lists.delete_lists(user, built_before=None if is_gone(state) else state.erased_at)
        return True

    outcomes: Counter[str] = Counter()
    with TemporaryDirectory() as work:
        folder = Path(work)
        # Ended here: a progress bar that an error leaves open keeps the process from ending.
        with Progress(console=console, transient=True) as progress:
            links = spread(progress.track(objects, description="reading the lake"), folder)
        words: dict[str, Word] = {}
        for shard in track(range(SHARDS), "asking the table", console=console, transient=True):
            words |= words_of(users_of(folder, shard), profiles, erased)
        merged_into = redirects(links, words)
        gather(folder, merged_into)
        for shard in track(range(SHARDS), "folding", console=console, transient=True):
            rows = read_shard(folder, shard, merged_into, also=erased)
            persons = persons_of(rows, merged_into)
            outcomes += compare(
                [person for person in persons if users is None or users & set(person.keys)],
                rows,
                profiles,
                token_secret=token_secret,
                erased=erased,
                write=write if apply_changes else None,
            )
    return outcomes


def lake_objects(client: "S3Client", bucket: str) -> Iterator[tuple[str, bytes]]:
    """Yield the lake's objects in order of key. Cost: one call for 1,000, and one get each."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=EVENTS):
        for found in page.get("Contents", []):
            yield found["Key"], client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


def token_keys(arn: str) -> Keys:
    """Read the keys that sign recommendation ids."""
    return RotatedSecret(boto3.client("secretsmanager"), arn, lambda: datetime.now(UTC)).accepted()


def wrong(outcomes: Mapping[str, int]) -> int:
    """Count the profiles that have to be written."""
    return sum(outcomes.get(name, 0) for name in _TO_WRITE)


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
        token_secret=token_keys(options.token_secret_arn),
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
    needed = wrong(outcomes)
    if needed and not options.apply:
        console.print(f"{needed:,} profiles would be written with --apply", style="yellow")
    return 1 if needed > outcomes["written"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
