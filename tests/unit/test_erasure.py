"""The tombstone: written whoever else writes, read by whoever could bring something back."""

from datetime import timedelta

import pytest

from factories import NOW, event, listed
from personalization import keys
from personalization.adapters.memory import MemoryTable
from personalization.erasure import (
    LATE,
    LEFT,
    Eraser,
    ErasureReceipt,
    Pending,
    Status,
    bury,
    completed,
    erasure_id,
    forget,
    hide,
    is_due,
    is_forgotten,
    is_gone,
    requested,
)
from personalization.errors import Unavailable
from personalization.ledger import Mark
from personalization.ports import ErasureRequest, UserState
from personalization.profiles import apply, at_seconds

REQUEST = ErasureRequest("ann", at_seconds(NOW))


def known() -> UserState:
    state = UserState(
        mark=Mark.of(1, "7"), import_mark=Mark.of(2, "9"), refresh_due_at=5.0, merged_into="bob"
    )
    apply(state.profile, event(user_key="ann"))
    state.seen.add("e-1")
    state.credited.add("list-1/click/sku-1")
    return state


def test_a_forgotten_state_holds_the_tombstone_and_its_place_in_the_stream() -> None:
    state = known()
    assert forget(state, REQUEST.requested_at)
    left = UserState(mark=Mark.of(1, "7"), import_mark=Mark.of(2, "9"), erased_at=REQUEST.requested_at)
    assert (state.profile, state.merged_into, state.refresh_due_at) == (left.profile, "", 0.0)
    assert (bytes(state.seen), bytes(state.credited)) == (b"", b"")
    assert (state.mark, state.import_mark, state.erased_at) == (left.mark, left.import_mark, left.erased_at)


def test_an_earlier_request_changes_nothing_after_a_later_one() -> None:
    state = known()
    forget(state, REQUEST.requested_at)
    apply(state.profile, event(user_key="ann"))
    assert not forget(state, REQUEST.requested_at)
    assert not forget(state, REQUEST.requested_at - 1)
    assert state.profile.last_at


def test_what_was_received_from_the_tombstone_on_is_of_a_new_life() -> None:
    assert is_forgotten(event(received_at=NOW - timedelta(microseconds=1)), REQUEST.requested_at)
    assert not is_forgotten(event(received_at=NOW), REQUEST.requested_at)
    assert not is_forgotten(event(), 0)


def test_who_came_back_is_not_gone() -> None:
    state = UserState()
    assert not is_gone(state)
    forget(state, 1)
    assert is_gone(state)
    apply(state.profile, event())
    assert not is_gone(state)


class Contended(MemoryTable):
    """Somebody else writes between each read and write, so many times."""

    rivals = 0

    def load(self, user_keys):
        found = super().load(user_keys)
        if self.rivals:
            self.rivals -= 1
            rival = super().load(["ann"])["ann"]
            apply(rival.profile, event("like", f"sku-{self.rivals}"))
            super().save("ann", rival, version=f"rival-{self.rivals}", now=NOW)
        return found


def test_a_tombstone_is_written_whoever_else_writes() -> None:
    table = Contended()
    table.rivals = 3
    assert bury(table, REQUEST, now=NOW, new_id=lambda: "own")
    assert is_gone(table.load(["ann"])["ann"])
    table.rivals = 99
    with pytest.raises(Unavailable):
        bury(table, ErasureRequest("ann", REQUEST.requested_at + 1), now=NOW, new_id=lambda: "own")


class Log:
    """Keeps what is noted, in order."""

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.pending: Pending | None = None

    def open(self, request: ErasureRequest, receipt: ErasureReceipt) -> None:
        self.done.append(f"open {request.user_key} {receipt.status}")

    def save(self, pending: Pending) -> None:
        self.pending = pending


class Queue:
    def __init__(self, done: list[str], *, down: bool = False) -> None:
        self.done, self.down = done, down

    def send(self, request: ErasureRequest) -> None:
        if self.down:
            raise Unavailable("down")
        self.done.append(f"send {request.requested_at}")


def eraser(table: MemoryTable, done: list[str], *, down: bool = False) -> tuple[Eraser, Log]:
    log = Log(done)
    return Eraser(table, table, log, Queue(done, down=down), lambda: NOW, lambda: "id"), log


def test_asking_leaves_nothing_to_be_seen_and_all_noted() -> None:
    table, done = MemoryTable(), []
    table.save("ann", known(), version="v", now=NOW)
    for surface in ("home", "product"):
        table.write_list(keys.list_key("ann", surface=surface, version="v"), listed("a"), expires_at=0)
    asked, log = eraser(table, done)
    receipt = asked.erase("ann")
    at = at_seconds(NOW) + 1
    assert receipt == requested(ErasureRequest("ann", at))
    assert done == ["open ann requested", f"send {at}"]
    assert is_gone(table.load(["ann"])["ann"])
    assert not table.lists
    assert log.pending is not None
    assert {name: tally.removed for name, tally in log.pending.tallies.items()} == {"profile": 1, "lists": 2}


def test_whoever_a_user_was_before_is_forgotten_with_them_and_queued_before_them() -> None:
    table, done = MemoryTable(), []
    for visitor, user in (("old", "tablet"), ("tablet", "ann"), ("phone", "ann")):
        states = table.load([visitor, user])
        apply(states[user].profile, event())
        states[visitor].merged_into = user
        table.save_together(states, version=f"w-{visitor}", now=NOW)
    asked, _ = eraser(table, done)
    assert asked.erase("ann").erasure_id == erasure_id(ErasureRequest("ann", at_seconds(NOW) + 1))
    opened = [row.split()[1] for row in done if row.startswith("open")]
    assert (sorted(opened), opened[-1]) == (["ann", "old", "phone", "tablet"], "ann")
    assert all(is_gone(state) and not state.merged_into for state in table.load(opened).values())
    assert [table.visitors(user) for user in opened] == [[], [], [], []]


def test_lists_of_a_new_life_stay_when_the_work_is_done_again() -> None:
    table = MemoryTable()
    table.save("ann", known(), version="v", now=NOW)
    pending = Pending(user_key="ann", requested_at=at_seconds(NOW))
    key = keys.list_key("ann", surface="home", version="v")
    table.write_list(key, listed("of-a-night-to-come"), expires_at=0)
    hide(pending, table, table, now=NOW, new_id=lambda: "w1")
    assert not table.lists
    state = table.load(["ann"])["ann"]
    apply(state.profile, event())
    table.save("ann", state, version="w2", now=NOW)
    table.write_list(key, listed("new"), expires_at=0)
    hide(pending, table, table, now=NOW, new_id=lambda: "w3")
    assert table.lists
    assert pending.tallies["lists"].removed == 1


def test_a_queue_that_is_down_is_told_and_what_is_noted_is_worked_off_by_the_round() -> None:
    table, done = MemoryTable(), []
    asked, _ = eraser(table, done, down=True)
    with pytest.raises(Unavailable):
        asked.erase("ann")
    assert done == ["open ann requested"]


def test_work_is_due_when_it_was_left_and_when_late_writers_have_ended() -> None:
    pending = Pending(user_key="ann", requested_at=at_seconds(NOW))
    assert not is_due(pending, NOW + LEFT - timedelta(seconds=1))
    assert is_due(pending, NOW + LEFT)
    pending.completed_at = NOW + timedelta(minutes=4)
    assert not is_due(pending, NOW + LATE - timedelta(seconds=1))
    assert is_due(pending, NOW + LATE)


def test_a_receipt_tells_what_was_done_and_when_the_rest_is_gone_and_nobodys_name() -> None:
    pending = Pending(user_key="ann-of-22-characters00", requested_at=at_seconds(NOW))
    pending.tally("events").removed = 3
    done = NOW + timedelta(minutes=4)
    receipt = completed(pending, now=done, retention={"backups": 35}, again=False)
    assert (receipt.status, receipt.completed_at, receipt.repeated_at) == (Status.COMPLETE, done, None)
    assert [(row.store, row.removed) for row in receipt.stores] == [("events", 3)]
    assert [(row.what, row.at) for row in receipt.expires] == [("backups", done + timedelta(days=35))]
    assert "ann" not in str(receipt)
    assert receipt.erasure_id == erasure_id(pending.request) != erasure_id(ErasureRequest("ann", 1))
