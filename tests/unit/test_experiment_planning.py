import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from personalization.errors import InvalidInput
from training.experimentation import plan
from training.experimentation.proportions import two_proportions, wilson
from training.experimentation.sample_ratio import by_day, chi_squared, sequential
from training.experimentation.sample_size import Formula, days, proportion_users, total_users
from training.experimentation.sequential import boundary


@given(st.floats(0.01, 0.4), st.floats(0.05, 0.5), st.floats(0.6, 0.95))
def test_the_arcsine_size_is_that_of_statsmodels(control, effect, power) -> None:
    value = control * (1 + effect)
    size = NormalIndPower().solve_power(proportion_effectsize(value, control), alpha=0.05, power=power)
    assert proportion_users(control, value, power=power, formula=Formula.ARCSINE) == pytest.approx(
        size, rel=1e-6
    )


def test_the_size_for_means_is_that_of_statsmodels_t_test_but_for_the_few_users_of_t() -> None:
    size = TTestIndPower().solve_power(0.05, alpha=0.05, power=0.8)
    assert total_users(4.0, 0.05) / 2 == pytest.approx(size, abs=2)


def test_the_always_valid_size_leaves_the_effect_outside_as_often_as_promised() -> None:
    users = total_users(4.0, 0.1, power=0.9, tuning_users=5_000)
    error = math.sqrt(4.0 / users)
    assert 1 - stats.norm.cdf(boundary(users, 0.05, 5_000) - 0.1 / error) == pytest.approx(0.9)


def test_no_effect_needs_users_without_end_and_no_spread_none() -> None:
    assert total_users(4.0, 0.0) == total_users(4.0, 0.0, tuning_users=5_000) == math.inf
    assert total_users(0.0, 0.1) == total_users(0.0, 0.1, tuning_users=5_000) == 0.0
    assert total_users(1e-12, 10.0, tuning_users=5_000) < 1
    assert {proportion_users(0.1, 0.1, formula=formula) for formula in Formula} == {math.inf}
    assert total_users(1e30, 1e-12, tuning_users=5_000) == math.inf
    assert days(math.inf, 100) is None
    assert days(100, 0) is None
    assert days(-5, 0) == 0


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilsons_interval_is_that_of_statsmodels(count, more) -> None:
    found = wilson(count, count + more)
    reference = proportion_confint(count, count + more, method="wilson")
    assert found == pytest.approx(tuple(float(np.squeeze(end)) for end in reference), abs=1e-9)


def test_proportions_that_cannot_be_are_refused() -> None:
    for wrong in ((1, 0, 1, 1), (2, 1, 0, 1), (-1, 1, 0, 1)):
        with pytest.raises(InvalidInput, match="is no proportion"):
            two_proportions(*wrong)


def test_a_split_of_51_to_49_of_100_000_users_is_flagged_by_both_tests() -> None:
    assert chi_squared([51_000, 49_000], [0.5, 0.5]) < 1e-9
    assert sequential(np.array([[51_000, 49_000]]), [0.5, 0.5]) < 1e-6


def test_a_mismatch_stays_known_when_the_split_evens_out_later() -> None:
    wrong, evened = [[2_000, 1_000]], [[2_000, 1_000], [1_000, 2_000]]
    assert sequential(np.array(evened), [0.5, 0.5]) == sequential(np.array(wrong), [0.5, 0.5]) < 0.01
    assert sequential(np.array([[3_000, 3_000]]), [0.5, 0.5]) == 1


def test_nobody_is_no_mismatch() -> None:
    nobody = by_day(np.zeros(0, np.int16), np.zeros(0, np.int64), 2)
    assert sequential(nobody, [0.5, 0.5]) == 1
    assert chi_squared([0, 0], [0.5, 0.5]) == 1


def test_users_are_counted_by_the_day_they_came_in_any_order() -> None:
    came = np.array([86_400 * 3, 5, 86_399, -1, 86_400 * 3 + 7])
    counted = by_day(np.array([1, 0, 1, 0, 1], np.int16), came, 2)
    assert counted.tolist() == [[1, 0], [1, 1], [0, 2]]


def test_the_plan_prints_users_and_days(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["--baseline", "0.05", "--effect", "0.1", "--daily-users", "10000"]) == 0
    printed = capsys.readouterr().out
    assert "31,231" in printed
    assert "6.2" in printed


def test_impressions_that_correlate_are_worth_fewer_users(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--baseline", "0.05", "--effect", "0.1", "--daily-users", "0", "--impressions", "10"]
    assert plan.main([*asked, "--correlation", "1"]) == 0
    assert "31,231" in (alike := capsys.readouterr().out)
    assert "never" in alike
    assert plan.main(asked) == 0
    assert "3,123" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [["--baseline", "0"], ["--effect", "-1"], ["--baseline", "0.9"], ["--variants", "1"], ["--power", "1"]],
)
def test_a_plan_that_cannot_be_says_what_to_change(wrong, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan.main(["--baseline", "0.05", "--effect", "0.1", "--daily-users", "10", *wrong])
    assert "must" in capsys.readouterr().err
