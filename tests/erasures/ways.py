"""Ways in which a forgotten person could come back, each with what takes its check away."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import boto3
from rich.console import Console

from contracts.conftest import TABLE
from erasures.people import SECRET, People, key_of
from factories import client_event, event, listed, record
from personalization import keys
from personalization.adapters.dynamodb import DynamoCatalog, DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from personalization.adapters.memory import FixedDefinitions, MemoryArchive
from personalization.adapters.s3 import S3Archive, S3Quarantine
from personalization.experiments import NO_EXPERIMENTS
from personalization.ports import RefreshRequest
from personalization.refreshing import Refresher
from toy_model import toy_model
from training.bulk_import import Importer, ImportReport
from training.lists import StoredList
from training.publishing import Publisher
from training.quarantine import Quarantine, survey
from training.rebuild import lake_objects, rebuild

ANN = key_of("ann")


def profiles() -> DynamoProfileStore:
    return DynamoProfileStore(boto3.client("dynamodb"), TABLE)


def lists() -> DynamoListStore:
    return DynamoListStore(boto3.client("dynamodb"), TABLE)


def is_back() -> bool:
    """Whether the table knows anything of Ann but her tombstone."""
    return bool(profiles().load([ANN])[ANN].profile.last_at or lists().lists_of(ANN))


def by_events_that_were_under_way(people: People, tmp_path: Path) -> bool:
    taken_in = people.taken_in
    people.act("ann")
    people.taken_in = taken_in
    boto3.client("dynamodb").delete_item(
        TableName=TABLE, Key={"pk": {"S": f"USER#{ANN}"}, "sk": {"S": "PROFILE"}}
    )
    people.forget("ann")
    people.consume()
    return is_back()


def by_a_refresh_that_was_queued(people: People, tmp_path: Path) -> bool:
    people.fill("ann")
    people.forget("ann")
    model = toy_model()
    source = FixedDefinitions(NO_EXPERIMENTS)
    clock = lambda: datetime.now(UTC)  # noqa: E731
    Refresher(profiles(), lists(), lambda _: model, source, clock, lambda: "id").refresh(RefreshRequest(ANN))
    return is_back()


def by_a_replay_of_the_quarantine(people: People, tmp_path: Path) -> bool:
    lake = S3Archive(boto3.client("s3"), "lake")
    S3Quarantine(lake).put(record(event(user_key=ANN), 1), epoch=1, reason="the profile can't be read")
    people.forget("ann")
    quarantine = Quarantine(boto3.client("s3"), "lake")
    _, able = survey(quarantine, profiles(), mended=None, export=None)
    return bool(able)


def by_a_backup_of_the_table(people: People, tmp_path: Path) -> bool:
    people.fill("ann", "bob")
    backup = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    people.forget("ann")
    people.work()
    for row in backup:
        boto3.client("dynamodb").put_item(TableName=TABLE, Item=row)
    assert is_back()
    make_anew()
    assert profiles().load([key_of("bob")])[key_of("bob")].profile.last_at
    return is_back()


def by_a_rebuild_before_the_lake_is_clean(people: People, tmp_path: Path) -> bool:
    people.act("ann", "bob")
    people.forget("ann")
    table = boto3.client("dynamodb")
    for row in table.scan(TableName=TABLE)["Items"]:
        table.delete_item(TableName=TABLE, Key={"pk": row["pk"], "sk": row["sk"]})
    make_anew()
    assert profiles().load([key_of("bob")])[key_of("bob")].profile.last_at
    return is_back()


def make_anew() -> None:
    objects = boto3.client("s3")
    rebuild(
        lake_objects(objects, "lake"),
        profiles(),
        lists(),
        erased=S3Erasures(objects, "lake").tombstones(),
        token_secret=b"token-secret",
        now=datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        apply_changes=True,
        console=Console(quiet=True),
    )


def by_an_import_of_history(people: People, tmp_path: Path) -> bool:
    people.forget("ann")
    lake = MemoryArchive()
    importer = Importer(
        profiles=profiles(),
        catalog=DynamoCatalog(boto3.client("dynamodb"), TABLE),
        lake=lake,
        secret=SECRET,
        number=1,
        arrived_at=datetime.now(UTC),
        is_bot=lambda _: False,
        new_id=lambda: uuid4().hex,
    )
    old = (people.now - timedelta(days=3)).isoformat()
    rows = [client_event(user_id=user, event_id=user, occurred_at=old) for user in ("ann", "bob")]
    report = ImportReport()
    importer.events([json.dumps(row).encode() for row in rows], report)
    assert sum(report.outcomes[name] for name in ("applied", "erased", "filtered")) == 2
    (body,) = lake.objects.values()

    assert key_of("bob").encode() in gzip.decompress(body)
    return is_back() or ANN.encode() in gzip.decompress(body)


def by_lists_of_the_night(people: People, tmp_path: Path) -> bool:
    night = people.now - timedelta(minutes=30)
    people.forget("ann")
    own = [keys.list_key(key_of(user), surface="home", version="v2") for user in ("ann", "bob")]
    ranked = [StoredList(key.pk, key.sk, listed("sku-1", version="v2")) for key in own]
    (tmp_path / "metadata.json").write_bytes(b"{}")
    written = Publisher(MemoryArchive(), lists(), profiles(), night).publish(tmp_path, "v2", ranked)
    assert lists().lists_of(key_of("bob"))
    return written == 2


def by_lists_of_a_night_that_read_the_lake_too_early(people: People, tmp_path: Path) -> bool:
    people.now += timedelta(hours=1)
    return by_lists_of_the_night(people, tmp_path)


WAYS: dict[Callable[[People, Path], bool], tuple[str, object]] = {
    by_events_that_were_under_way: ("personalization.visitors.is_forgotten", lambda *_: False),
    by_a_refresh_that_was_queued: ("personalization.refreshing.is_gone", lambda _: False),
    by_a_replay_of_the_quarantine: ("training.quarantine.is_forgotten", lambda *_: False),
    by_a_backup_of_the_table: (f"{__name__}.S3Erasures.tombstones", lambda _: {}),
    by_a_rebuild_before_the_lake_is_clean: ("training.rebuild.is_forgotten", lambda *_: False),
    by_an_import_of_history: ("training.bulk_import.is_forgotten", lambda *_: False),
    by_lists_of_the_night: (f"{__name__}.DynamoProfileStore.erased_at", lambda *_: {}),
    by_lists_of_a_night_that_read_the_lake_too_early: ("training.publishing.KNOWN_BEFORE", -timedelta(0)),
}
"""Each way that a person could come back, and how to take away what is in it."""
