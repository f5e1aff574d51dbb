"""The table can be lost: the lake folds to the same profiles, byte for byte."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from uuid import uuid4

import boto3
import msgspec
import pytest
from rich.console import Console

from contracts.conftest import TABLE
from factories import NOW, event
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from personalization.archiving import LakeLine
from personalization.ledger import Mark
from personalization.profiles import Profile, at_seconds
from personalization.visitors import identify, person_of
from streams.world import World
from training.lake_shards import Place, place_of
from training.rebuild import lake_objects, rebuild

QUIET = Console(quiet=True)


@pytest.fixture
def world() -> Iterator[World]:
    world = World(seed=1)
    for number in range(60):
        kind = ("click", "impression", "purchase")[number % 3]
        value = {"value": 2.0} if kind == "purchase" else {}
        world.put(
            event(kind, f"sku-{number % 7}", event_id=f"e-{number}", user_key=f"user-{number % 5}", **value)
        )
    world.put(world.sent.events[-1])
    world.put_poison("user-1", b"nonsense")
    world.settle()
    yield world
    world.close()


def run(apply_changes: bool = False) -> Counter[str]:
    return rebuild(
        lake_objects(boto3.client("s3"), "lake"),
        DynamoProfileStore(boto3.client("dynamodb"), TABLE),
        DynamoListStore(boto3.client("dynamodb"), TABLE),
        erased=S3Erasures(boto3.client("s3"), "lake").tombstones(),
        token_secret=b"secret",
        now=NOW,
        new_id=lambda: uuid4().hex,
        apply_changes=apply_changes,
        console=QUIET,
    )


def rows() -> list[dict]:
    """What the table holds of users, but for the ids of the writes."""
    found = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    kept = ("pk", "data", "seen", "credited", "mark", "import_mark", "merged_into")
    return sorted(
        ({name: row[name] for name in kept if name in row} for row in found if row["sk"]["S"] == "PROFILE"),
        key=lambda row: row["pk"]["S"],
    )


def lose(*users: str) -> None:
    for user in users:
        key = {"pk": {"S": f"USER#{user}"}, "sk": {"S": "PROFILE"}}
        boto3.client("dynamodb").delete_item(TableName=TABLE, Key=key)


def test_the_lake_folds_to_what_the_table_holds(world: World) -> None:
    assert run() == {"equal": 5}


def test_a_lost_table_is_restored_byte_for_byte_with_its_bookkeeping(world: World) -> None:
    before = rows()
    lose(*(f"user-{number}" for number in range(5)))
    assert run() == {"missing": 5}
    assert rows() == []
    assert run(apply_changes=True) == {"missing": 5, "written": 5}
    assert rows() == before


def test_what_was_restored_takes_no_event_twice(world: World) -> None:
    lose("user-0", "user-1")
    run(apply_changes=True)
    world.profiles.lose_checkpoint()
    world.put(event("click", "sku-9", event_id="new", user_key="user-0"))
    world.check()


def test_a_table_from_an_older_backup_is_brought_up_to_date(world: World) -> None:
    client = boto3.client("dynamodb")
    backup = client.scan(TableName=TABLE)["Items"]
    for number in range(5):
        world.put(event("like", "sku-1", event_id=f"later-{number}", user_key=f"user-{number}"))
    world.settle()
    now = rows()
    for row in backup:
        client.put_item(TableName=TABLE, Item=row)
    assert run(apply_changes=True) == {"different": 5, "written": 5}
    assert rows() == now


@pytest.fixture
def merged(world: World) -> World:
    """Three of the users are one person, one of them by way of another; a fifth user claims one of them."""
    for user, visitor in (
        ("user-1", "user-0"),
        ("user-2", "user-1"),
        ("user-3", "user-0"),
        ("user-2", "new"),
        ("user-1", "never-seen"),
        ("user-4", "user-4"),
    ):
        name = f"{user}-is-{visitor}"
        world.put(event("identify", None, event_id=name, user_key=user, visitor_key=visitor))
        world.settle()
    for number, user in enumerate(("user-0", "user-1", "user-2", "new")):
        world.put(event("like", f"sku-{number}", event_id=f"after-{number}", user_key=user))
    world.settle()
    return world


def test_visitors_are_found_with_whom_they_turned_out_to_be(merged: World) -> None:
    assert run() == {"equal": 7}
    before = rows()
    lose(*(f"user-{number}" for number in range(5)), "new", "never-seen")
    assert run(apply_changes=True) == {"missing": 7, "written": 7}
    merged.check()
    assert run() == {"equal": 7}
    ways = {row["pk"]["S"]: row.pop("merged_into", None) for row in before}
    assert [{**row, "merged_into": None} for row in rows()] == [
        {**row, "merged_into": None} for row in before
    ]
    assert ways["USER#user-1"] == {"S": "user-2"}


def test_of_several_who_claim_a_visitor_the_table_says_whose_they_are(world: World) -> None:
    for user in ("user-1", "user-2"):
        world.put(event("identify", None, event_id="claim", user_key=user, visitor_key="user-0"))
    world.settle()
    (whose,) = world.merged_into().values()
    assert run() == {"equal": 5}
    (other,) = {"user-1", "user-2"} - {whose}
    store = DynamoProfileStore(boto3.client("dynamodb"), TABLE)
    states = store.load(["user-0"])
    states["user-0"].merged_into = other
    store.save_together(states, version="other", now=NOW)
    assert run(apply_changes=True) == {"equal": 3, "different": 2, "written": 2}
    assert world.merged_into() == {"user-0": other}
    world.check()


def test_a_person_of_whom_the_lake_knows_less_is_left_alone_with_their_visitors(merged: World) -> None:
    merged.put(event("like", "sku-1", event_id="ahead", user_key="user-0"))
    merged.put(event("identify", None, event_id="4-is-3", user_key="user-4", visitor_key="user-3"))
    merged.profiles.drain()
    assert run(apply_changes=True) == {"ahead": 7}
    merged.check()


def test_a_merge_whose_event_is_still_to_be_counted_is_taken_from_the_table(world: World) -> None:
    store = DynamoProfileStore(boto3.client("dynamodb"), TABLE)
    person = person_of(store, "user-3", store.load(["user-3"])["user-3"])
    signing_in = event("identify", None, user_key="user-3", visitor_key="user-4")
    assert identify(store, person, signing_in, version="merged", now=NOW)
    assert run(apply_changes=True) == {"equal": 5}
    assert world.merged_into() == {"user-4": "user-3"}


def test_nothing_of_an_erased_person_comes_back_from_the_lake(merged: World) -> None:
    store = DynamoProfileStore(boto3.client("dynamodb"), TABLE)
    state = store.load(["user-2"])["user-2"]
    state.profile, state.erased_at = Profile(), at_seconds(NOW) + 1
    store.save("user-2", state, version="erased", now=NOW)
    assert run() == {"equal": 7}


def test_a_user_of_whom_the_lake_knows_less_is_left_alone(world: World) -> None:
    world.put(event("like", "sku-1", event_id="ahead", user_key="user-2"))
    world.profiles.drain()
    before = rows()
    assert run(apply_changes=True) == {"equal": 4, "ahead": 1}
    assert rows() == before


def test_a_write_that_is_overtaken_is_not_forced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lose("user-3")
    load, reads = DynamoProfileStore.load, count(1)

    def raced(store: DynamoProfileStore, users: list[str]) -> dict:
        found = load(store, users)
        if "user-3" in found and next(reads) == 2:
            store.save("user-3", load(store, ["user-3"])["user-3"], version="other", now=NOW)
        return found

    monkeypatch.setattr(DynamoProfileStore, "load", raced)
    assert run(apply_changes=True)["overtaken"] == 1


@pytest.mark.parametrize(
    "number", ["4966", "49668469836800451683466374511111111111111111111111111234", "0" * 30 + "17"]
)
def test_a_place_of_the_stream_is_kept_whatever_its_number_of_digits(number: str) -> None:
    """Kinesis numbers its records with up to 56 digits."""
    line = LakeLine(number, NOW)
    place = place_of("events/date=2026-01-15/1768000000-shardId-0-1.jsonl.gz", line)
    assert place is not None
    assert place.mark == Mark.of(1768000000, number)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(place), type=Place) == place
