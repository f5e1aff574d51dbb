"""Moving history in: the live reducer, once, whatever happens on the way."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from factories import client_event, event, record
from personalization.adapters.memory import (
    MemoryArchive,
    MemoryErasureQueue,
    MemoryQuarantine,
    MemoryRefreshQueue,
    MemoryTable,
)
from personalization.archiving import read_events
from personalization.errors import Conflict
from personalization.identity import user_key
from personalization.names import Consent
from personalization.ports import UserState
from personalization.profile_encoding import decode
from personalization.profiles import Profile
from personalization.projection import Projection, Projector
from training.bulk_import import Importer, ImportReport, claim_number, digest_of

ANN = user_key(b"secret", "ann")
ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)


class World:
    """A table, a lake, and imports into them."""

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.table = table or MemoryTable()
        self.lake = MemoryArchive()

    def load(self, *lines: bytes, number: int = 1) -> ImportReport:
        report = ImportReport()
        self._importer(number).events(lines, report)
        return report

    def load_items(self, *lines: bytes) -> ImportReport:
        report = ImportReport()
        self._importer(1).items(lines, report)
        return report

    def _importer(self, number: int) -> Importer:
        return Importer(
            profiles=self.table,
            catalog=self.table,
            lake=self.lake,
            secret=b"secret",
            number=number,
            arrived_at=ARRIVED_AT,
            is_bot=lambda agent: "bot" in agent,
            new_id=lambda: uuid4().hex,
        )

    @property
    def profile(self) -> Profile:
        return decode(self.table.states[ANN].data)

    @property
    def archived(self) -> list[str]:
        lines = [line for body in self.lake.objects.values() for line in gzip.decompress(body).splitlines()]
        return sorted(found.event_id for found in read_events(lines))


def lines(*numbers: int) -> list[bytes]:
    """Clicks on different items, a minute apart, years before the import."""
    return [
        json.dumps(
            client_event(event_id=f"e{n}", item_id=f"sku-{n}", occurred_at=f"2019-01-15T12:{n:02}:00Z")
        ).encode()
        for n in numbers
    ]


def test_old_events_count_as_received_when_they_happened() -> None:
    world = World()
    report = world.load(*lines(1, 2, 3))
    assert report.outcomes == {"applied": 3}
    assert sorted(world.profile.recent) == ["sku-1", "sku-2", "sku-3"]
    assert world.archived == ["e1", "e2", "e3"]


def test_importing_twice_changes_nothing() -> None:
    world = World()
    world.load(*lines(1, 2, 3))
    before = dict(world.table.states), dict(world.lake.objects)
    assert world.load(*lines(1, 2, 3)).outcomes == {"passed_over": 3}
    assert (world.table.states, world.lake.objects) == before


def test_an_import_that_broke_off_goes_on_where_it_was() -> None:
    class Breaking(MemoryTable):
        def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:
            if user_key != ANN and not self.items:
                self.items["broken"] = None
                raise Conflict("gone")
            super().save(user_key, state, version=version, now=now)

    world = World(Breaking())
    log = [*lines(1, 2), json.dumps(client_event(user_id="bob", event_id="b")).encode()]
    with pytest.raises(Conflict):
        world.load(*log)
    report = world.load(*log)
    assert report.outcomes["applied"] + report.outcomes["passed_over"] == 3
    assert world.profile.revision == 2
    assert len(world.table.states) == 2


def test_more_history_needs_a_higher_number() -> None:
    world = World()
    world.load(*lines(1, 2), number=1)
    assert world.load(*lines(3), number=2).outcomes == {"applied": 1}
    assert world.profile.revision == 3


def test_broken_lines_and_bots_are_counted_and_the_rest_goes_in() -> None:
    world = World()
    bot = client_event(event_id="b", context={"user_agent": "somebot"}, occurred_at="2019-01-01T00:00:00Z")
    report = world.load(b"nonsense", *lines(1, 1), json.dumps(bot).encode(), b"{}")
    assert report.outcomes == {"rejected": 2, "applied": 1, "duplicate": 1, "filtered": 1}
    assert report.reasons == {"invalid_json": 1, "invalid_field": 1}
    assert report.read == 5


def live(world: World, *items: str) -> Projection:
    projector = Projector(
        profiles=world.table,
        catalog=world.table,
        quarantine=MemoryQuarantine(),
        refreshes=MemoryRefreshQueue(),
        erasures=MemoryErasureQueue(),
        consent_default=Consent.PERSONALIZATION,
        token_secret=b"",
        epoch=1_767_225_600,
        clock=lambda: ARRIVED_AT,
        new_id=lambda: uuid4().hex,
    )
    return projector.project([record(event("click", item, user_key=ANN), 1) for item in items])


def test_history_may_come_before_and_after_the_first_live_event() -> None:
    world = World()
    world.load(*lines(1, 2), number=1)
    assert live(world, "live").outcomes == {"applied": 1}
    assert world.load(*lines(1, 2), number=1).outcomes == {"passed_over": 2}
    assert world.load(*lines(3), number=2).outcomes == {"applied": 1}
    assert world.profile.revision == 4


def test_a_number_belongs_to_its_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        assert claim_number(client, "lake", 1, digest_of([first]))
        assert claim_number(client, "lake", 1, digest_of([first]))
        assert not claim_number(client, "lake", 1, digest_of([second]))
        assert claim_number(client, "lake", 2, digest_of([second]))


def test_the_catalogue_goes_to_table_and_lake() -> None:
    world = World()
    report = world.load_items(b'{"item_id": "a"}', b'{"item_id": "b", "available": false}', b"{}")
    assert report.outcomes == {"items": 2, "rejected": 1}
    assert world.table.unavailable == {"b"}
    (body,) = world.lake.objects.values()
    assert {found.item_id for found in read_events(gzip.decompress(body).splitlines())} == {"a", "b"}


def visit(user: str, number: int, **fields: object) -> bytes:
    """A line of some user's."""
    return json.dumps(client_event(user_id=user, event_id=f"{user}-{number}", **fields)).encode()


def sign_in(user: str, visitor: str) -> bytes:
    body = client_event("identify", user_id=user, visitor_id=visitor, event_id=f"{user}-is-{visitor}")
    return json.dumps(body).encode()


def test_visitors_of_a_history_are_merged_as_live_ones_are() -> None:
    visitors = [f"visitor-{number}" for number in range(12)]
    acts = [visit(visitor, number) for number in range(3) for visitor in ("ann", *visitors)]
    signing_in = [sign_in("ann", visitor) for visitor in visitors]
    log = [*acts[:20], *signing_in, *acts[20:]]
    world = World()
    assert world.load(*log).outcomes == {"applied": 51}
    assert world.profile.revision == 39
    assert world.load(*log).outcomes == {"passed_over": 51}
    assert world.load(visit("visitor-0", 9), number=2).outcomes == {"applied": 1}
    assert world.profile.revision == 40
    assert len(world.table.visitors(ANN)) == 12


def test_of_two_lines_that_name_a_visitor_the_first_stands() -> None:
    for _ in range(5):
        world = World()
        world.load(visit("visitor", 1), sign_in("ann", "visitor"), sign_in("bob", "visitor"))
        assert world.profile.revision == 1


def test_history_brings_nothing_back_to_whom_asked_to_be_forgotten() -> None:
    world = World()
    for key in (ANN, user_key(b"secret", "visitor")):
        state = UserState(erased_at=int(ARRIVED_AT.timestamp()) - 1)
        world.table.save(key, state, version="erased", now=ARRIVED_AT)
    log = [visit("visitor", 1), sign_in("ann", "visitor"), visit("ann", 1)]
    assert world.load(*log).outcomes == {"erased": 3}
    assert world.profile == Profile()
    assert world.table.visitors(ANN) == []
