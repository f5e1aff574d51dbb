"""The stream's consumer: exactly once in effect, nothing lost, nothing stuck."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from factories import NOW, event, record
from personalization.adapters.memory import (
    MemoryErasureQueue,
    MemoryQuarantine,
    MemoryRefreshQueue,
    MemoryTable,
    StoredState,
)
from personalization.deadlines import NEVER, Deadline
from personalization.errors import Conflict, InvalidInput, Unavailable
from personalization.events import Item, upsert_item
from personalization.names import Consent
from personalization.ports import RefreshRequest, StreamRecord, UserState
from personalization.profile_encoding import decode
from personalization.profiles import Profile
from personalization.projection import Projection, Projector


@dataclass
class World:
    """A projector on fakes, and a clock that tests may move."""

    table: MemoryTable = field(default_factory=MemoryTable)
    quarantine: MemoryQuarantine = field(default_factory=MemoryQuarantine)
    refreshes: MemoryRefreshQueue = field(default_factory=MemoryRefreshQueue)
    now: datetime = NOW
    epoch: int = 1

    def project(self, *records: StreamRecord, deadline: Deadline = NEVER) -> Projection:
        projector = Projector(
            profiles=self.table,
            catalog=self.table,
            quarantine=self.quarantine,
            refreshes=self.refreshes,
            erasures=MemoryErasureQueue(),
            consent_default=Consent.PERSONALIZATION,
            token_secret=b"secret",
            epoch=self.epoch,
            clock=lambda: self.now,
            new_id=lambda: uuid4().hex,
        )
        return projector.project(records, deadline)

    def profile(self, user_key: str = "user-1") -> Profile:
        return decode(self.table.states[user_key].data)


def clicks(count: int, start: int = 1) -> list[StreamRecord]:
    return [record(event("click", f"sku-{n}"), n) for n in range(start, start + count)]


def test_a_replayed_batch_counts_nothing_twice() -> None:
    world = World()
    first = world.project(*clicks(3))
    again = world.project(*clicks(3))
    assert first.outcomes["applied"] == 3
    assert sum(again.outcomes.values()) == 0
    assert world.profile().revision == 3


def test_a_replay_with_new_records_behind_it_applies_only_those() -> None:
    world = World()
    world.project(*clicks(3))
    assert world.project(*clicks(5)).outcomes["applied"] == 2
    assert world.profile().revision == 5


def test_an_event_sent_twice_by_its_client_counts_once() -> None:
    world = World()
    result = world.project(record(event(), 1), record(event(), 2))
    assert result.outcomes == {"applied": 1, "duplicate": 1}


def test_sequence_numbers_are_compared_as_numbers() -> None:
    world = World()
    world.project(record(event("click", "a"), 9))
    assert world.project(record(event("click", "b"), 10)).outcomes["applied"] == 1


def test_a_recreated_stream_starts_above_every_old_mark() -> None:
    world = World()
    world.project(record(event("click", "a"), 999))
    world.epoch = 2
    assert world.project(record(event("click", "b"), 1)).outcomes["applied"] == 1


def test_broken_records_are_quarantined_and_do_not_hold_up_the_rest() -> None:
    world = World()
    result = world.project(
        record(b"\x00garbage", 1), record(event(), 2), record(b'{"event_type":"click"}', 3)
    )
    assert result.outcomes == {"quarantined": 2, "applied": 1}
    assert result.failed == []
    assert world.quarantine.records["1"][0].data == b"\x00garbage"


def test_a_broken_record_that_cannot_be_kept_is_retried_and_blocks_only_its_own_key() -> None:
    class Down(MemoryQuarantine):
        def put(self, record: StreamRecord, *, epoch: int, reason: str) -> bool:
            raise Unavailable("S3")

    world = World(quarantine=Down())
    result = world.project(
        record(event("click", "a"), 1),
        record(b"garbage", 2, partition_key="user-1"),
        record(event("click", "b"), 3),
        record(event("click", "c", user_key="user-2"), 4),
    )
    assert result.failed == ["2"]
    assert list(world.profile().recent) == ["a"]
    assert list(world.profile("user-2").recent) == ["c"]


def test_a_lost_race_is_read_again_and_folded_again() -> None:
    class Raced(MemoryTable):
        raced = False

        def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:
            if not self.raced:
                self.raced = True
                World(table=self).project(record(event("view", "other"), 1))
            super().save(user_key, state, version=version, now=now)

    world = World(table=Raced())
    result = world.project(record(event("view", "other"), 1), record(event("view", "mine"), 2))
    assert sorted(world.profile().recent) == ["mine", "other"]
    assert result.outcomes["applied"] == 1


def test_a_user_who_cannot_be_written_is_retried_without_holding_up_others() -> None:
    class Stubborn(MemoryTable):
        def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:
            if user_key == "user-1":
                raise Conflict("version")
            super().save(user_key, state, version=version, now=now)

    world = World(table=Stubborn())
    result = world.project(record(event(), 7), record(event(user_key="user-2"), 8))
    assert result.failed == ["7"]
    assert result.outcomes == {"applied": 1}


def test_acts_queue_a_refresh_and_impressions_never_do() -> None:
    world = World()
    world.project(record(event("impression"), 1), record(event("view"), 2))
    assert world.refreshes.requests == []
    world.project(record(event("click"), 3))
    assert world.refreshes.requests == [(RefreshRequest("user-1"), 0)]


def test_refreshes_of_a_busy_user_are_coalesced_to_one_in_two_seconds() -> None:
    world = World()
    for step in range(8):
        world.now = NOW + timedelta(seconds=step / 2)
        world.project(record(event("click", f"sku-{step}"), step + 1))
    delays = [delay for _, delay in world.refreshes.requests]
    assert delays == [0, 2, 2]


def test_an_item_is_written_and_its_availability_noted() -> None:
    world = World()
    gone = Item(item_id="sku-1", title="Lamp", available=False)
    world.project(record(upsert_item(gone, event_id="i1", received_at=NOW), 1))
    assert world.table.unavailable == {"sku-1"}
    back = Item(item_id="sku-1", title="Lamp")
    world.project(record(upsert_item(back, event_id="i2", received_at=NOW + timedelta(seconds=5)), 2))
    assert world.table.unavailable == set()
    assert world.table.items["sku-1"].item == back


def test_a_write_whose_answer_got_lost_counts_and_refreshes_once() -> None:
    class Forgetful(MemoryTable):
        forgot = False

        def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:
            super().save(user_key, state, version=version, now=now)
            if not self.forgot:
                self.forgot = True
                raise Conflict("the retry met its own write")

    world = World(table=Forgetful())
    assert world.project(*clicks(2)).outcomes == {"applied": 2}
    assert len(world.refreshes.requests) == 1


def test_a_profile_that_cannot_be_read_costs_only_its_own_user() -> None:
    world = World()
    world.table.states["user-1"] = StoredState(b"damaged")
    result = world.project(record(event(), 1), record(event(user_key="user-2"), 2))
    assert result.failed == []
    assert result.outcomes == {"quarantined": 1, "applied": 1}
    assert "can't be read" in world.quarantine.records["1"][1]


def test_an_item_counts_once_however_often_its_batch_is_sent() -> None:
    world = World()
    changes = [
        record(upsert_item(Item(item_id="sku-1", price=price), event_id="i", received_at=NOW), number)
        for number, price in enumerate((1.0, 2.0), 1)
    ]
    assert world.project(*changes).outcomes["applied"] == 2
    assert world.project(*changes).outcomes["applied"] == 0
    assert world.table.items["sku-1"].item.price == 2.0


def test_a_full_catalogue_sets_items_aside_and_goes_on_with_users() -> None:
    class Full(MemoryTable):
        def put(self, changes) -> int:
            raise InvalidInput("catalog_full", "no room")

    world = World(table=Full())
    item = upsert_item(Item(item_id="sku-1", available=False), event_id="i", received_at=NOW)
    result = world.project(record(item, 1), record(event(), 2))
    assert result.outcomes == {"applied": 1, "quarantined": 1}
    assert result.failed == []


def test_a_batch_that_runs_out_of_time_keeps_what_is_done_and_has_the_rest_sent_again() -> None:
    world = World()
    # A write takes a second of this clock.
    deadline = Deadline(at=3.0, clock=lambda: float(len(world.table.states)))
    records = [record(event("click", user_key=f"user-{n}"), n) for n in range(100)]
    item = upsert_item(Item(item_id="sku-1"), event_id="i-1", received_at=NOW)
    batch = [*records, record(item, 100)]
    first = world.project(*batch, deadline=deadline)
    # Eight writers are under way when the third second ends.
    assert 3 <= first.outcomes["applied"] <= 3 + 8
    assert len(first.failed) == 101 - first.outcomes["applied"]
    assert first.outcomes["refresh_lost"] == first.outcomes["applied"]
    assert not world.table.items
    again = world.project(*batch)
    assert (again.outcomes["applied"], again.failed) == (101 - first.outcomes["applied"], [])
    assert {world.profile(f"user-{n}").revision for n in range(100)} == {1}


def test_a_broken_record_that_there_is_no_time_to_keep_is_sent_again() -> None:
    world = World()
    broken = record(b"not json", 1, partition_key="user-1")
    assert world.project(broken, deadline=Deadline(at=0.0, clock=lambda: 0.0)).failed == ["1"]
    assert world.project(broken).outcomes["quarantined"] == 1
