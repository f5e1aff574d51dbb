"""What is kept of an experiment between two runs of its analysis: free of order, each outcome once."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalization.errors import CorruptData
from personalization.events import EventType
from training.experimentation.state_file import decode_state, encode_state
from training.experimentation.totals_state import (
    CREDITED_DAYS,
    KIND,
    OPEN_DAYS,
    Exposure,
    LeftOut,
    Outcome,
    TotalsState,
    hash_of,
)

ARMS = ("control", "new")
TODAY = 20_000


def state() -> TotalsState:
    return TotalsState("ranking", variants=["new", "control"], strata=["all"])


def shown(user: str, variant: str = "new", at: int = 100, left_out: int = 0) -> Exposure:
    return Exposure(hash_of(user), ("new", "control").index(variant), 0, at, left_out)


def did(
    user: str,
    kind: str = "click",
    what: str = "a",
    *,
    value: float = 1,
    before: bool = False,
    day: int = TODAY,
) -> Outcome:
    identity = hash_of(user, kind, what)
    return Outcome(hash_of(user), identity, day, KIND[EventType(kind)], before, value)


def test_a_forgotten_user_leaves_no_row_and_everybody_elses_as_it_was() -> None:
    known, without = state(), state()
    for one, users in ((known, ("ann", "bob", "eve")), (without, ("ann", "eve"))):
        one.expose([shown(user) for user in users])
        one.add([did(user) for user in users])
    assert known.forget([hash_of("bob"), hash_of("nobody")]) == 1
    assert known.forget([hash_of("bob")]) == 0
    assert known.users.tolist() == without.users.tolist()
    for name, column in known.columns.items():
        assert column.tolist() == without.columns[name].tolist()


def test_a_user_who_was_exposed_is_counted_with_what_they_did() -> None:
    known = state()
    known.expose([shown("ann", "control", 100), shown("bob", "new", 200)])
    known.add([did("bob", "impression", str(item)) for item in range(10)])
    known.add([did("bob", "click"), did("bob", "purchase", value=20), did("bob", "dwell", value=30)])
    totals = known.totals(ARMS)
    row = totals.variant.tolist().index(1)
    assert sorted(totals.variant.tolist()) == [0, 1]
    assert totals.first_exposed[row] == 200
    assert (totals.impressions[row], totals.clicks[row], totals.conversions[row]) == (10, 1, 1)
    assert (totals.revenue[row], totals.dwell_seconds[row]) == (20, 30)
    assert totals.impressions[1 - row] == 0


def test_an_outcome_counts_once_within_a_batch_and_between_batches() -> None:
    known = state()
    known.expose([shown("ann")])
    assert known.add([did("ann"), did("ann")]) == 1
    assert known.add([did("ann"), did("ann", what="b")]) == 1
    assert known.totals(ARMS).clicks.tolist() == [2]


def test_an_outcome_read_before_its_exposure_is_not_lost_and_counts_for_nobody_until_then() -> None:
    known = state()
    known.add([did("ann")])
    assert len(known.totals(ARMS)) == 0
    known.expose([shown("ann")])
    assert known.totals(ARMS).clicks.tolist() == [1]


def test_what_was_done_before_the_experiment_is_a_covariate() -> None:
    known = state()
    known.add([did("ann", before=True), did("ann", "purchase", before=True, value=5)])
    known.expose([shown("ann")])
    totals = known.totals(ARMS)
    assert (totals.clicks.tolist(), totals.conversions.tolist(), totals.revenue.tolist()) == ([0], [0], [0])
    assert (totals.clicks_before.tolist(), totals.revenue_before.tolist()) == ([1], [5])


@pytest.mark.parametrize("together", [True, False])
def test_a_user_seen_in_two_variants_is_left_out_and_counted(together: bool) -> None:
    known = state()
    exposures = [shown("ann", "new", 5), shown("bob", "new", 5), shown("ann", "control", 9)]
    for batch in [exposures] if together else [[one] for one in exposures]:
        known.expose(batch)
    assert len(known.totals(ARMS)) == 1
    assert known.left_out(LeftOut.CROSSED) == 1


def test_testers_are_left_out_whether_they_were_users_before_or_after() -> None:
    known = state()
    known.expose([shown("ann"), shown("bob", left_out=LeftOut.FORCED), shown("eve")])
    known.expose([shown("ann", left_out=LeftOut.FORCED), shown("bob")])
    assert len(known.totals(ARMS)) == 1
    assert known.left_out(LeftOut.FORCED) == 2
    assert known.left_out(LeftOut.CROSSED) == 0


def test_what_a_bot_was_shown_is_no_exposure_and_does_not_void_those_of_the_user() -> None:
    known = state()
    known.expose([shown("ann"), shown("bob", left_out=LeftOut.BOT), shown("ann", left_out=LeftOut.BOT)])
    assert len(known.totals(ARMS)) == 1
    assert known.left_out(LeftOut.BOT) == 1


def test_the_first_exposure_is_the_earliest_however_late_it_is_read() -> None:
    known = state()
    known.expose([shown("ann", at=300), shown("ann", at=200)])
    known.expose([shown("ann", at=100)])
    known.expose([shown("ann", at=900)])
    assert known.totals(ARMS).first_exposed.tolist() == [100]


def test_a_variant_that_the_design_does_not_know_is_not_counted() -> None:
    known = state()
    known.expose([shown("ann", "new"), shown("bob", "control")])
    assert known.totals(("control", "other")).variant.tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), pieces=st.integers(1, 6))
def test_totals_do_not_depend_on_order_pieces_or_repeats(seed: int, pieces: int) -> None:
    chance = random.Random(seed)
    users = [f"user-{number}" for number in range(8)]
    exposures = [
        shown(
            chance.choice(users),
            chance.choice(["new", "control"]),
            chance.randrange(50),
            chance.choice([0, 0, 1]),
        )
        for _ in range(12)
    ]
    outcomes = [
        did(
            user := chance.choice(users),
            kind := chance.choice(["impression", "click", "purchase", "dwell"]),
            what := str(chance.randrange(5)),
            value=len(user + kind + what),
            before=int(what) > 3,
        )
        for _ in range(60)
    ]
    whole = state()
    whole.expose(exposures)
    whole.add(outcomes)
    parts = state()
    for _ in range(2):
        chance.shuffle(exposures)
        chance.shuffle(outcomes)
        for piece in range(pieces):
            parts.add(outcomes[piece::pieces])
            parts.expose(exposures[piece::pieces])
    for name in TotalsState("x").columns:
        if name not in ("variant", "first_exposed"):
            assert whole.columns[name].tolist() == parts.columns[name].tolist(), name
    first, second = whole.totals(ARMS), parts.totals(ARMS)
    assert (first.variant.tolist(), first.clicks.tolist()) == (
        second.variant.tolist(),
        second.clicks.tolist(),
    )


def test_a_day_forgets_its_objects_when_nothing_can_come_any_more() -> None:
    known = state()
    known.note_read(TODAY, [hash_of("a"), hash_of("b")])
    known.note_read(TODAY, [hash_of("b"), hash_of("c")])
    wanted = np.array([hash_of("a"), hash_of("d"), hash_of("c")], dtype=np.uint64)
    assert known.was_read(TODAY, wanted).tolist() == [True, False, True]
    assert known.was_read(TODAY + 1, wanted).tolist() == [False] * 3
    known.close_days(TODAY + OPEN_DAYS)
    assert len(known.objects[TODAY]) == 3
    assert known.first_open_day(TODAY + OPEN_DAYS) == TODAY
    known.close_days(TODAY + OPEN_DAYS + 1)
    assert not known.objects


def test_identities_are_kept_for_longer_than_an_object_may_be_late() -> None:
    known = state()
    known.add([did("ann", day=TODAY)])
    known.close_days(TODAY + CREDITED_DAYS)
    assert known.add([did("ann", day=TODAY)]) == 0
    known.close_days(TODAY + CREDITED_DAYS + 1)
    assert not known.credited
    assert CREDITED_DAYS > OPEN_DAYS


def test_a_state_that_was_not_run_for_long_goes_on_where_it_was() -> None:
    known = state()
    known.close_days(TODAY)
    assert known.first_open_day(TODAY + 30) == TODAY - OPEN_DAYS


def test_a_file_holds_the_whole_state_and_equal_states_are_equal_bytes() -> None:
    known = state()
    known.started_at, known.closed = 77, True
    known.expose([shown("ann"), shown("bob", "control")])
    known.add([did("ann"), did("bob", "dwell", value=2.5)])
    known.note_read(TODAY, [1, 2])
    known.close_days(TODAY)
    data = encode_state(known)
    read = decode_state(data)
    assert encode_state(read) == data
    assert read.totals(ARMS).dwell_seconds.tolist() == known.totals(ARMS).dwell_seconds.tolist()
    assert (read.through, read.closed, read.started_at, read.variants) == (
        TODAY,
        True,
        77,
        ["new", "control"],
    )
    assert read.add([did("ann")]) == 0


def test_an_empty_state_can_be_written_fed_with_nothing_and_asked() -> None:
    known = decode_state(encode_state(TotalsState("ranking")))
    known.expose([])
    assert known.add([]) == 0
    assert len(known.totals(ARMS)) == 0


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"PK" * 99]
)
def test_a_damaged_file_says_so(damage) -> None:
    known = state()
    known.expose([shown("ann")])
    with pytest.raises(CorruptData):
        decode_state(damage(encode_state(known)))
