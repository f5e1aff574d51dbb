from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import END, START, design, shoppers, totals
from personalization.errors import InvalidInput
from personalization.experiment_results import (
    Decision,
    ExperimentResults,
    Look,
    decode_results,
    encode_results,
)
from training.experimentation.analysis import analyze
from training.experimentation.design import Arm, Guardrail
from training.experimentation.metrics import METRICS
from training.experimentation.user_totals import UserTotals

REVENUE = Guardrail("revenue_per_user", 0.2)


def at_the_end(users, planned=None, **fields) -> ExperimentResults:
    return analyze(users, planned or design(), as_of=END, started_at=START, **fields)


def goal_of(results: ExperimentResults, variant: int = 1):
    return results.variants[variant].comparisons[0]


def test_a_better_variant_that_harms_no_guardrail_is_shipped() -> None:
    results = at_the_end(shoppers(40_000, lifts=(0.0, 0.25)), design(guardrails=(REVENUE,)))
    assert results.decision is Decision.SHIP
    assert results.verdict.startswith("Ship model: CTR +")
    assert results.verdict.endswith("no guardrail harmed, 40,000 users.")
    low, high = goal_of(results).always_valid
    assert 0 < low < 0.25 < high


def test_without_a_difference_it_keeps_running_and_says_for_how_long() -> None:
    results = at_the_end(shoppers(4_000))
    assert results.decision is Decision.KEEP_RUNNING
    assert "of each variant are planned, in about" in results.verdict
    daily = 4_000 / 14
    assert results.plan.days_left == pytest.approx((2 * results.plan.users_needed - 4_000) / daily, rel=0.01)


def test_the_plan_is_kept_a_variant_that_does_nothing_is_stopped_when_its_users_are_there() -> None:
    users = shoppers(40_000, seed=3)
    results = at_the_end(users, design(effect=0.3))
    assert results.variants[1].users >= results.plan.users_needed
    assert results.decision is Decision.STOP_FUTILE
    assert "makes no difference worth waiting for" in results.verdict


def test_a_worse_variant_is_stopped() -> None:
    results = at_the_end(shoppers(20_000, lifts=(0.0, -0.25)))
    assert results.decision is Decision.STOP_HARMFUL
    assert results.verdict.startswith("Stop model, it is harmful: CTR -")


def test_a_harmed_guardrail_stops_a_variant_with_a_better_goal() -> None:
    users = shoppers(60_000, lifts=(0.0, 0.15), revenue_lift=-0.6)
    results = at_the_end(users, design(guardrails=(Guardrail("revenue_per_user", 0.05),)))
    guardrail = results.variants[1].comparisons[1]
    assert guardrail.harmed
    assert goal_of(results).always_valid[0] > 0
    assert results.decision is Decision.STOP_HARMFUL
    assert "revenue per user -" in results.verdict
    assert "where a loss of 5.0% is accepted" in results.verdict


def test_a_better_variant_waits_until_its_guardrails_are_known_to_hold() -> None:
    results = at_the_end(
        shoppers(40_000, lifts=(0.0, 0.25)), design(guardrails=(Guardrail("dwell_per_user", 0.0),))
    )
    waiting = at_the_end(
        shoppers(6_000, lifts=(0.0, 0.25)), design(guardrails=(Guardrail("revenue_per_user", 0.01),))
    )
    assert results.decision is Decision.SHIP
    assert waiting.decision is Decision.KEEP_RUNNING
    assert "is not yet known to lose less than 1.0% in revenue per user" in waiting.verdict


def test_a_wrong_split_is_broken_whatever_the_goal_says() -> None:
    users = shoppers(40_000, lifts=(0.0, 0.25))
    kept = np.flatnonzero((users.variant == 0) | (np.arange(40_000) % 10 > 0))
    lost = type(users)(**{name: getattr(users, name)[kept] for name in type(users).__slots__})
    results = at_the_end(lost)
    assert results.sample_ratio.mismatch
    assert results.decision is Decision.BROKEN
    assert "trust no figure" in results.verdict


@pytest.mark.parametrize("users", [0, 1, 5, 150])
def test_a_few_users_are_too_few_to_tell(users: int) -> None:
    results = at_the_end(shoppers(users, lifts=(0.0, 5.0)))
    assert results.decision is Decision.KEEP_RUNNING
    assert results.users == users
    assert decode_results(encode_results(results)) == results


def test_users_who_see_nothing_are_no_ground_to_decide() -> None:
    results = at_the_end(totals(np.arange(1_000) % 2))
    assert results.decision is Decision.KEEP_RUNNING
    assert results.variants[0].ctr is None
    assert decode_results(encode_results(results)) == results


def test_other_metrics_never_stand_in_for_a_goal_that_is_unknown() -> None:
    variant = np.arange(2_000) % 2
    results = at_the_end(totals(variant, conversions=(np.arange(2_000) % 4 == 1).astype(float)))
    assert results.variants[1].comparisons[0].p_value < 1e-9
    assert results.decision is Decision.KEEP_RUNNING
    assert results.looks == ()


def test_guardrails_that_need_more_users_do_not_keep_a_useless_variant_running() -> None:
    planned = design(effect=0.3, guardrails=(Guardrail("revenue_per_user", 0.001),))
    results = at_the_end(shoppers(40_000, seed=3), planned)
    assert results.plan.users_needed > 10**6
    assert results.decision is Decision.STOP_FUTILE


def test_a_control_that_nobody_should_get_any_more_is_still_compared() -> None:
    ended = design(arms=(Arm("control", 0.0), Arm("model", 1.0)))
    results = at_the_end(shoppers(4_000), ended)
    assert goal_of(results).always_valid is not None
    assert results.sample_ratio.p_value == 1


def test_of_three_variants_the_best_is_shipped_and_its_intervals_are_wider() -> None:
    users = shoppers(60_000, lifts=(0.0, 0.3, 0.15))
    results = at_the_end(users, design("control", "first", "second"))
    assert results.verdict.startswith("Ship first")
    two = users.variant < 2
    both = type(users)(**{name: getattr(users, name)[two] for name in type(users).__slots__})
    alone = goal_of(at_the_end(both))
    (low, high), (least, most) = goal_of(results).always_valid, alone.always_valid
    assert low < least < most < high
    assert goal_of(results).interval == pytest.approx(alone.interval)
    second = goal_of(results, 2)
    assert second.adjusted_p_value >= second.p_value


def test_every_metric_is_reported_once_the_goal_first() -> None:
    results = at_the_end(
        shoppers(2_000), design(goal="revenue_per_user", guardrails=(Guardrail("ctr", 0.02),))
    )
    names = [one.metric for one in results.variants[1].comparisons]
    assert names[:2] == ["revenue_per_user", "ctr"]
    assert sorted(names) == sorted(METRICS)
    assert results.variants[0].comparisons == ()
    assert "CUPED" in goal_of(results).method
    assert "winsorized at 99%" in goal_of(results).method


def test_what_was_not_seen_before_is_not_claimed() -> None:
    users = shoppers(2_000)
    nothing = np.zeros(2_000)
    fresh = replace(
        users, clicks_before=nothing, impressions_before=nothing, revenue_before=nothing, dwell_before=nothing
    )
    assert "CUPED" not in goal_of(at_the_end(fresh)).method


def test_the_order_of_users_changes_nothing_that_is_seen() -> None:
    users = replace(shoppers(5_000, lifts=(0.0, 0.1)), stratum=(np.arange(5_000) % 3).astype(np.int16))
    order = np.random.default_rng(2).permutation(5_000)
    shuffled = type(users)(**{name: getattr(users, name)[order] for name in type(users).__slots__})
    planned = design(strata=3)
    first, second = (at_the_end(one, planned) for one in (users, shuffled))
    assert first.verdict == second.verdict
    assert goal_of(first).always_valid == pytest.approx(goal_of(second).always_valid, rel=1e-9)
    assert encode_results(first) == encode_results(at_the_end(users, planned))


def test_looks_are_kept_one_a_day_the_last_of_today() -> None:
    def look(hours: float) -> Look:
        at = END - timedelta(hours=hours)
        return Look(at=at, variant="model", users=10, lift=0.1, always_valid=None)

    morning = END + timedelta(hours=3)
    earlier = [look(2), look(26), look(27), look(50), look(-1)]
    results = analyze(
        shoppers(2_000), design(), as_of=morning, started_at=START, earlier=earlier, crossed_over=7
    )
    days = [one.at for one in results.looks]
    assert days == [look(50).at, look(26).at, look(2).at, morning]
    assert all(before < after for before, after in pairwise(days))
    assert results.looks[-1].lift == goal_of(results).lift
    assert results.crossed_over == 7


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"clicks": np.array([1.0, np.nan, 0.0])}, "clicks holds what is no number"),
        ({"revenue": np.array([1.0, np.inf, 0.0])}, "revenue holds what is no number"),
        ({"clicks": np.zeros(2)}, "one length"),
        ({"stratum": np.array([0, 1, 0], np.int16)}, "stratum"),
    ],
)
def test_totals_that_cannot_be_are_refused(columns, words) -> None:
    with pytest.raises(InvalidInput, match=words):
        at_the_end(totals([0, 1, 1], **columns))


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 1),
            *[st.one_of(st.just(0.0), st.integers(0, 3).map(float), st.floats(1e-3, 1e4)) for _ in range(9)],
        ),
        max_size=60,
    ),
    repeats=st.integers(1, 120),
)
@settings(deadline=None, max_examples=30, derandomize=True)
def test_whatever_users_do_the_results_are_numbers_that_can_be_stored(rows, repeats) -> None:
    columns = list(zip(*rows * repeats, strict=True)) or [[]] * 11
    names = [name for name in UserTotals.__slots__ if name not in {"variant", "first_exposed", "stratum"}]
    users = totals(
        np.array(columns[0], np.int16),
        stratum=np.array(columns[1], np.int16),
        **{name: np.array(column, float) for name, column in zip(names, columns[2:], strict=True)},
    )
    results = at_the_end(users, design("control", "first", "second", strata=2))
    assert decode_results(encode_results(results)) == results
    for one in (one for variant in results.variants for one in variant.comparisons):
        assert 0 <= one.p_value <= one.adjusted_p_value <= 1
        assert 0 <= one.always_valid_p_value <= 1
        for low, high in filter(None, (one.interval, one.always_valid)):
            assert low - 1e-6 * (1 + abs(low)) <= one.lift <= high + 1e-6 * (1 + abs(high))


def test_a_variant_that_is_not_of_the_experiment_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a variant is not one of 2"):
        at_the_end(totals([0, 1, 2]))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"arms": (Arm("control", 1.0),)}, "two variants"),
        ({"arms": (Arm("a", 0.5), Arm("a", 0.5))}, "named once"),
        ({"arms": (Arm("a", 0.5), Arm("b", 0.6))}, "sum to 1"),
        ({"arms": (Arm("a", 1.5), Arm("b", -0.5))}, "0 or more"),
        ({"goal": "happiness"}, "unknown metrics happiness; there are ctr"),
        ({"guardrails": (Guardrail("ctr", 0.1),)}, "different metrics"),
        ({"guardrails": (Guardrail("revenue_per_user", 1.0),)}, "margins are shares"),
        ({"effect": 0.0}, "positive relative lift"),
        ({"alpha": 0.7}, "alpha"),
        ({"strata": 0}, "strata"),
    ],
)
def test_designs_that_cannot_be_are_refused(fields, words) -> None:
    with pytest.raises(InvalidInput, match=words):
        design(**fields)


def test_a_variant_that_nobody_should_get_is_compared_but_not_counted_for_the_split() -> None:
    arms = (Arm("control", 0.5), Arm("model", 0.5), Arm("former", 0.0))
    users = shoppers(6_000, lifts=(0.0, 0.0, 0.9))
    results = at_the_end(users, design(arms=arms))
    assert not results.sample_ratio.mismatch
    assert goal_of(results, 2).always_valid[0] > 0.2
    assert results.decision is Decision.KEEP_RUNNING
    kept = np.flatnonzero((users.variant < 2) | (np.arange(6_000) < 30))
    few = type(users)(**{name: getattr(users, name)[kept] for name in type(users).__slots__})
    assert "too early" not in at_the_end(few, design(arms=arms)).verdict


def test_without_newcomers_no_day_is_promised() -> None:
    results = analyze(shoppers(4_000), design(), as_of=END + timedelta(days=30), started_at=START)
    assert results.plan.days_left is None
    assert "nobody new comes" in results.verdict
