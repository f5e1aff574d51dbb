"""Visitors who turn out to be users: merged once, nothing counted twice, nothing brought back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, event, record
from personalization.adapters.memory import (
    MemoryErasureQueue,
    MemoryQuarantine,
    MemoryRefreshQueue,
    MemoryTable,
)
from personalization.attribution import Attribution
from personalization.errors import Conflict
from personalization.events import Event
from personalization.names import Consent, Metric, Surface
from personalization.ports import RefreshRequest, StreamRecord, UserState
from personalization.profile_encoding import encode
from personalization.profiles import LATE_WINDOW, Profile, apply, at_seconds
from personalization.projection import Projection, Projector
from personalization.tokens import issue

EMPTY = encode(Profile())
_numbers = count(1)


def act(user: str, item: str = "sku-1", **fields: Any) -> Event:
    return event("click", item, user_key=user, event_id=f"e-{next(_numbers)}", **fields)


def sign_in(user: str, visitor: str, **fields: Any) -> Event:
    number = next(_numbers)
    return event("identify", None, user_key=user, visitor_key=visitor, event_id=f"i-{number}", **fields)


def profile_of(*events: Event) -> bytes:
    profile = Profile()
    for happened in events:
        apply(profile, happened)
    return encode(profile)


@dataclass
class World:
    """A projector on fakes."""

    table: MemoryTable = field(default_factory=MemoryTable)
    quarantine: MemoryQuarantine = field(default_factory=MemoryQuarantine)
    refreshes: MemoryRefreshQueue = field(default_factory=MemoryRefreshQueue)
    erasures: MemoryErasureQueue = field(default_factory=MemoryErasureQueue)
    sequence: int = 0

    def send(self, *events: Event) -> Projection:
        return self.project(*map(self.record, events))

    def record(self, happened: Event) -> StreamRecord:
        self.sequence += 1
        return record(happened, self.sequence)

    def project(self, *records: StreamRecord) -> Projection:
        result = self._projector().project(records)
        result.outcomes = +result.outcomes
        return result

    def _projector(self) -> Projector:
        return Projector(
            profiles=self.table,
            catalog=self.table,
            quarantine=self.quarantine,
            refreshes=self.refreshes,
            erasures=self.erasures,
            consent_default=Consent.PERSONALIZATION,
            token_secret=b"secret",
            epoch=1,
            clock=lambda: NOW,
            new_id=lambda: uuid4().hex,
        )

    def state(self, key: str) -> UserState:
        return self.table.load([key])[key]

    def profile(self, key: str) -> bytes:
        return encode(self.state(key).profile)

    def erase(self, key: str, *, after: timedelta) -> None:
        state = self.state(key)
        state.profile, state.erased_at = Profile(), at_seconds(NOW + after)
        self.table.save(key, state, version=uuid4().hex, now=NOW)


@pytest.fixture
def world() -> World:
    return World()


def test_what_a_visitor_did_is_the_users_from_their_signing_in_on(world: World) -> None:
    before, own, signing_in, later = act("v", "a"), act("u", "b"), sign_in("u", "v"), act("v", "c")
    for happened in (before, own, signing_in, later):
        assert world.send(happened).outcomes == {"applied": 1}
    assert world.profile("u") == profile_of(before, own, signing_in, later)
    assert world.profile("v") == EMPTY
    assert world.state("v").merged_into == "u"
    assert world.table.visitors("u") == ["v"]


def test_a_visitor_of_whom_nothing_is_known_yet_is_the_user_from_then_on(world: World) -> None:
    events = sign_in("u", "v"), act("v")
    for happened in events:
        world.send(happened)
    assert world.profile("u") == profile_of(*events)


def test_visitor_and_user_may_act_and_sign_in_within_one_batch(world: World) -> None:
    events = act("v", "a"), act("u", "b"), sign_in("u", "v"), act("v", "c"), sign_in("u", "w"), act("w", "d")
    world.send(*events)
    world.send()
    assert world.profile("u") == profile_of(*events)
    assert world.table.visitors("u") == ["v", "w"]


def test_a_replay_of_either_counts_nothing_twice(world: World) -> None:
    events = act("v", "a"), act("u", "b"), sign_in("u", "v"), act("v", "c")
    records = [world.record(happened) for happened in events]
    for one in records:
        world.project(one)
    for again in (*records, *reversed(records)):
        assert not sum(world.project(again).outcomes.values())
    assert not sum(world.project(*records).outcomes.values())
    assert world.profile("u") == profile_of(*events)


def test_an_event_that_its_client_sends_again_after_the_sign_in_counts_once(world: World) -> None:
    clicked = act("v")
    signing_in = sign_in("u", "v")
    world.send(clicked)
    world.send(signing_in)
    assert world.send(clicked).outcomes == {"duplicate": 1}
    assert world.send(signing_in).outcomes == {"duplicate": 1}
    assert world.profile("u") == profile_of(clicked, signing_in)


def test_ids_of_events_are_told_apart_by_who_sent_them_as_before(world: World) -> None:
    events = [act("v", "a"), act("u", "b"), sign_in("u", "v"), act("v", "c")]
    same = [*events, event("click", "d", user_key="u", event_id=events[0].event_id)]
    world.send(*same)
    assert world.send(act("v")).outcomes == {"applied": 1}
    assert world.state("u").profile.totals == [0, 0, 5, *[0] * 7, 1, 0, 0, 0]


def test_a_visitor_is_merged_once(world: World) -> None:
    world.send(act("v"))
    world.send(sign_in("u", "v"))
    second = sign_in("other", "v")
    assert world.send(second).outcomes == {"applied": 1}
    assert world.profile("other") == profile_of(second)
    assert world.state("v").merged_into == "u"
    assert world.table.visitors("other") == []


def test_signing_in_again_with_the_same_visitor_is_one_more_event(world: World) -> None:
    events = act("v"), sign_in("u", "v"), sign_in("u", "v")
    for happened in events:
        world.send(happened)
    assert world.profile("u") == profile_of(*events)


def test_a_user_who_turns_out_to_be_another_brings_their_visitors_along(world: World) -> None:
    events = act("v", "a"), sign_in("u", "v"), sign_in("w", "u"), act("v", "b"), act("u", "c"), act("w", "d")
    for happened in events:
        world.send(happened)
    assert world.profile("w") == profile_of(*events)
    assert world.profile("u") == world.profile("v") == EMPTY
    assert world.state("v").merged_into == "w", "the way was shortened when it was taken"
    assert set(world.table.visitors("w")) == {"u", "v"}


def test_a_merged_user_who_names_a_visitor_brings_them_to_the_same_person(world: World) -> None:
    events = sign_in("w", "u"), act("v"), sign_in("u", "v")
    for happened in events:
        world.send(happened)
    assert world.profile("w") == profile_of(*events)
    assert world.state("v").merged_into == "w"


@pytest.mark.parametrize("pair", [("u", "u"), ("v", "u"), ("u", "v"), ("v", "v")])
def test_nobody_is_merged_into_themselves(world: World, pair: tuple[str, str]) -> None:
    events = act("v"), sign_in("u", "v"), sign_in(*pair)
    for happened in events:
        world.send(happened)
    assert world.profile("u") == profile_of(*events)
    assert world.state("u").merged_into == ""


@pytest.mark.parametrize("fields", [{"bot": True}, {"received_at": NOW + LATE_WINDOW + timedelta(seconds=1)}])
def test_what_never_reaches_a_profile_merges_nothing(world: World, fields: dict[str, Any]) -> None:
    world.send(act("v"))
    assert world.send(sign_in("u", "v", **fields)).outcomes == {"filtered": 1}
    assert world.state("v").merged_into == ""


def test_what_was_merged_is_not_brought_back_after_the_user_was_erased(world: World) -> None:
    world.send(act("v"))
    world.send(sign_in("u", "v"))
    world.erase("u", after=timedelta(seconds=5))
    assert world.send(act("v"), act("u")).outcomes == {"filtered": 2}
    assert world.profile("u") == EMPTY
    fresh = act("v", received_at=NOW + timedelta(seconds=5))
    world.send(fresh)
    assert world.profile("u") == profile_of(fresh)


def test_signing_in_before_the_user_was_erased_merges_nothing(world: World) -> None:
    clicked = act("v")
    world.send(clicked)
    world.erase("u", after=timedelta(seconds=5))
    assert world.send(sign_in("u", "v")).outcomes == {"filtered": 1}
    assert (world.profile("u"), world.profile("v")) == (EMPTY, profile_of(clicked))


def test_an_erased_visitor_brings_nothing_of_before_along(world: World) -> None:
    world.send(act("v"))
    world.erase("v", after=timedelta(seconds=5))
    world.send(sign_in("u", "v"))
    assert world.state("v").merged_into == "", "signing in was before the erasure, too"
    late = timedelta(seconds=6)
    events = sign_in("u", "v", received_at=NOW + late), act("v", received_at=NOW + late)
    forgotten = act("v")
    for happened in (events[0], forgotten, events[1]):
        world.send(happened)
    assert world.profile("v") == EMPTY
    assert world.state("u").profile.totals == [0, 0, 1, *[0] * 7, 2, 0, 0, 0]


def test_a_receipt_given_to_the_visitor_counts_once_before_and_after(world: World) -> None:
    token = issue(
        b"secret",
        list_id="list-1",
        user_key="v",
        surface="home",
        assignments=(),
        model_version="v1",
        item_ids=["a", "b"],
        issued_at=NOW,
    )
    clicks = [act("v", item, recommendation_id=token) for item in ("a", "b", "a")]
    first, *later = clicks
    counted = {Attribution(Metric.CLICKS, Surface.HOME): 1.0}
    assert world.send(first).attributions == counted
    world.send(sign_in("u", "v"))
    assert [world.send(clicked).attributions for clicked in later] == [counted, {}]
    assert world.send(act("u", "a", recommendation_id=token)).attributions == {}, "it is borrowed by the user"


def test_signing_in_and_what_the_visitor_does_later_refresh_the_users_lists(world: World) -> None:
    world.send(act("v"))
    world.refreshes.requests.clear()
    world.send(sign_in("u", "v"))
    assert world.refreshes.requests == [(RefreshRequest("u"), 0)]
    world.send(act("v"))
    assert world.refreshes.requests[1:] == [(RefreshRequest("u"), 2)]


@pytest.mark.parametrize("broken", ["u", "v"])
def test_events_of_a_person_whose_record_is_broken_are_kept_aside(world: World, broken: str) -> None:
    events = act("v"), act("u"), sign_in("u", "v")
    world.send(*events[:2])
    whole = world.table.states[broken]
    world.table.states[broken] = whole._replace(data=b"broken")
    assert world.send(events[2]).outcomes == {"quarantined": 1}
    assert world.state("v").merged_into == ""
    world.table.states[broken] = whole
    assert world.send(events[2]).outcomes == {"applied": 1}, "once mended, it goes back"
    assert world.profile("u") == profile_of(*events)


def test_later_events_of_a_visitor_are_kept_aside_while_the_user_can_not_be_read(world: World) -> None:
    world.send(sign_in("u", "v"))
    world.table.states["u"] = world.table.states["u"]._replace(data=b"broken")
    assert world.send(act("v")).outcomes == {"quarantined": 1}


def test_records_that_name_each_other_in_a_circle_hold_nobody_up(world: World) -> None:
    world.send(sign_in("u", "v"))
    world.table.states["u"] = world.table.states["u"]._replace(merged_into="v")
    assert world.send(act("v"), act("other")).outcomes == {"quarantined": 1, "applied": 1}


@dataclass
class RacedTable(MemoryTable):
    """Lets somebody else write first, once, before states are written together."""

    rival: Callable[[], object] = lambda: None

    def save_together(self, states: Any, **named: Any) -> None:
        rival, self.rival = self.rival, lambda: None
        rival()
        super().save_together(states, **named)


@pytest.mark.parametrize("who", ["v", "x"])
def test_a_merge_that_is_overtaken_is_done_again(who: str) -> None:
    world = World(table := RacedTable())
    before = act("v", "a"), act("u", "b"), sign_in("u", "x")
    for happened in before:
        world.send(happened)
    between = act(who, "c"), act("x", "d")
    signing_in, later = sign_in("u", "v"), act("v", "e")
    for happened, rival in zip((signing_in, later), between, strict=True):
        table.rival = partial(World(table, sequence=world.sequence + 10).send, rival)
        world.sequence += 20
        assert world.send(happened).outcomes == {"applied": 1}
    assert world.profile("u") == profile_of(*before, *between, signing_in, later)


def test_a_merge_that_is_overtaken_for_ever_is_sent_again() -> None:
    class Busy(MemoryTable):
        def save_together(self, states: Any, **named: Any) -> None:
            raise Conflict("version")

    world = World(Busy())
    assert world.send(sign_in("u", "v")).failed == ["1"]


KEYS = st.sampled_from(["u", "v", "w", "x"])
MOVES = st.one_of(st.builds(act, KEYS, st.sampled_from("abc")), st.builds(sign_in, KEYS, KEYS))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(MOVES, min_size=1, max_size=4), max_size=12))
def test_profiles_are_those_of_persons_however_they_sign_in(batches: list[list[Event]]) -> None:
    """The oracle gives every event to the person whom its key belongs to in the end."""
    world = World()
    for batch in batches:
        # One record at a time: within a batch users have no order between them.
        for happened in batch:
            world.send(happened)
    persons = {key: key for key in "uvwx"}
    events = [happened for batch in batches for happened in batch]
    for happened in events:
        user, visitor = persons[happened.user_key], happened.visitor_key
        if visitor and persons[visitor] == visitor:
            persons = {key: user if person == visitor else person for key, person in persons.items()}
    for person in "uvwx":
        own = [happened for happened in events if persons[happened.user_key] == person]
        assert world.profile(person) == profile_of(*own)
