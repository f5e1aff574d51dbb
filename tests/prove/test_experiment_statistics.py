"""The long proofs of the statistics of experiments: a thousand simulated experiments of each kind."""

import pytest

from training.experimentation.simulated_users import Population
from training.experimentation.simulations import calculate, simulate_splits, simulate_tests

RUNS = range(1_000)
LIFT = 0.04 / 0.03 - 1


@pytest.mark.parametrize(("users", "arriving"), [(560, 28), (5_600, 28), (5_600, 1)])
def test_a_look_a_day_for_28_days_finds_what_is_not_there_in_at_most_5_percent(
    users: int, arriving: int
) -> None:
    found = simulate_tests(Population(users=users, arriving=arriving), RUNS, seed=1)
    assert found.always_valid.share <= 0.05
    assert found.peeking.share > 0.15, "peeking with a test of one look was to be shown to fail"
    assert found.impressions.share > 0.1, "taking impressions for independent was to be shown to fail"


def test_a_ctr_of_4_over_3_percent_is_found_as_often_as_the_calculator_promises() -> None:
    sizes = calculate(Population(users=0), LIFT, power=0.8, seed=1)
    one_look = simulate_tests(Population(users=2 * sizes.one_look, lift=LIFT), RUNS, seed=1)
    assert one_look.one_look.share == pytest.approx(0.8, abs=0.03)
    always_valid = simulate_tests(Population(users=2 * sizes.always_valid, lift=LIFT), RUNS, seed=1)
    assert always_valid.always_valid.share >= 0.8


def test_a_split_of_51_to_49_is_flagged_and_an_even_one_is_not() -> None:
    uneven, even = (simulate_splits(share, RUNS, seed=1) for share in (0.51, 0.5))
    assert uneven.sequential.share > 0.99
    assert uneven.chi_squared.share > 0.99
    assert even.sequential.share <= 0.01
