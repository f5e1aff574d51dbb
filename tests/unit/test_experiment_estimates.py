import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from experiments import design, shoppers, totals
from training.experimentation.estimates import Pair, compare, ratio_interval
from training.experimentation.lifts import (
    difference_interval,
    lift,
    lift_interval,
    p_value,
    standard_errors,
    width_at_one_look,
)
from training.experimentation.metrics import METRICS
from training.experimentation.moments import ceiling, metric_moments, moments
from training.experimentation.multiple import benjamini_hochberg, holm
from training.experimentation.sequential import always_valid_p_value, boundary

NO_CAP = np.inf


def pair_of(above, below, variant, *before, stratum=None, strata=1) -> Pair:
    columns = [np.asarray(above, float), np.asarray(below, float), *before]
    stratum = np.zeros(len(variant), np.int16) if stratum is None else stratum
    summed = moments(columns, np.full(len(columns), NO_CAP), variant, stratum, arms=2, strata=strata)
    pair = compare(summed, 1)
    assert pair is not None
    return pair


@pytest.fixture(scope="module")
def users():
    return shoppers(3_000, lifts=(0.0, 0.2))


def test_a_mean_by_user_is_compared_as_scipys_welch_test_does(users) -> None:
    pair = pair_of(users.revenue, np.ones(len(users)), users.variant)
    reference = stats.ttest_ind(
        users.revenue[users.variant == 1], users.revenue[users.variant == 0], equal_var=False
    )
    assert standard_errors(pair) == pytest.approx(reference.statistic, rel=1e-9)
    assert pair.freedom == pytest.approx(reference.df, rel=1e-9)
    assert p_value(standard_errors(pair), pair.freedom) == pytest.approx(reference.pvalue, rel=1e-9)
    assert difference_interval(pair, width_at_one_look(pair, 0.05)) == pytest.approx(
        tuple(reference.confidence_interval()), rel=1e-9
    )


def test_a_ratios_error_is_that_of_a_weighted_regression_robust_to_clusters(users) -> None:
    pair = pair_of(users.clicks, users.impressions, users.variant)
    errors = []
    for arm, mean in enumerate((pair.control, pair.value)):
        mine = users.variant == arm
        shown = users.impressions[mine]
        fit = sm.WLS(users.clicks[mine] / shown, np.ones(mine.sum()), weights=shown).fit(cov_type="HC1")
        assert mean == pytest.approx(fit.params[0], rel=1e-9)
        errors.append(fit.bse[0])
    assert np.sqrt(np.diag(pair.covariance)) == pytest.approx(errors, rel=1e-9)


def test_cuped_with_several_covariates_is_the_regression_on_them() -> None:
    rng = np.random.default_rng(5)
    before = rng.gamma(2, 3, (2, 2_000))
    variant = np.repeat([0, 1], 1_000).astype(np.int16)
    now = 2 + 0.4 * before[0] - 0.2 * before[1] + 0.3 * variant + rng.normal(size=2_000)
    pair = pair_of(now, np.ones(2_000), variant, *before)
    fit = sm.OLS(
        now, sm.add_constant(np.stack([variant, *(before - before.mean(axis=1, keepdims=True))], 1))
    ).fit()
    assert pair.difference == pytest.approx(fit.params[1], rel=1e-9)
    assert pair.control == pytest.approx(fit.params[0], rel=1e-9)
    assert pair.error == pytest.approx(fit.bse[1], rel=5e-3)


def test_covariates_narrow_the_interval_and_those_without_any_spread_change_nothing(users) -> None:
    alone = pair_of(users.clicks, users.impressions, users.variant)
    covariates = users.clicks_before, users.impressions_before
    adjusted = pair_of(users.clicks, users.impressions, users.variant, *covariates)
    nothing = pair_of(users.clicks, users.impressions, users.variant, np.zeros(3_000), np.full(3_000, 7.0))
    assert adjusted.error < 0.95 * alone.error
    assert (nothing.control, nothing.error) == pytest.approx((alone.control, alone.error), rel=1e-12)


def test_strata_are_weighted_by_their_share_of_all_users(users) -> None:
    stratum = (users.clicks_before > 0).astype(np.int16)
    pair = pair_of(users.revenue, np.ones(3_000), users.variant, stratum=stratum, strata=2)
    by_hand = sum(
        (stratum == s).mean()
        * (
            users.revenue[(users.variant == 1) & (stratum == s)].mean()
            - users.revenue[(users.variant == 0) & (stratum == s)].mean()
        )
        for s in (0, 1)
    )
    assert pair.difference == pytest.approx(by_hand, rel=1e-9)


def test_a_stratum_that_one_variant_lacks_is_taken_together_with_others(users) -> None:
    stratum = (np.arange(3_000) % 3).astype(np.int16)
    stratum[users.variant == 1] = np.maximum(stratum[users.variant == 1], 1)
    pair = pair_of(users.revenue, np.ones(3_000), users.variant, stratum=stratum, strata=3)
    merged = pair_of(
        users.revenue, np.ones(3_000), users.variant, stratum=np.maximum(stratum, 1) - 1, strata=2
    )
    assert np.isfinite(pair.error)
    assert pair.users == merged.users == 3_000


def test_intervals_hold_the_true_lift_as_often_as_they_say_with_strata_and_covariates() -> None:
    held, rng = 0, np.random.default_rng(11)
    for _ in range(600):
        variant, stratum = rng.integers(0, 2, 400).astype(np.int16), (rng.random(400) < 0.3).astype(np.int16)
        before = rng.gamma(2, 1, 400) * (1 + 2 * stratum)
        now = (1 + 0.5 * before + stratum) * np.where(variant, 1.2, 1.0) + rng.normal(size=400)
        pair = pair_of(now, np.ones(400), variant, before, stratum=stratum, strata=2)
        low, high = lift_interval(pair, width_at_one_look(pair, 0.05))
        held += low <= 0.2 <= high
    assert 0.93 <= held / 600 <= 0.97


@given(
    control=st.floats(0.05, 5),
    lift_of=st.floats(-0.9, 3),
    errors=st.tuples(st.floats(1e-4, 0.02), st.floats(1e-4, 0.02)),
    correlation=st.floats(-0.5, 0.5),
    width=st.floats(1, 4),
)
def test_the_lifts_interval_leaves_out_0_exactly_when_the_differences_does(
    control, lift_of, errors, correlation, width
) -> None:
    both = correlation * errors[0] * errors[1]
    covariance = np.array([[errors[0] ** 2, both], [both, errors[1] ** 2]]) * control**2
    pair = Pair(control, control * (1 + lift_of), covariance, 100, 98.0)
    low, high = lift_interval(pair, width)
    away = abs(standard_errors(pair)) / width
    if abs(away - 1) > 1e-6:
        assert (low > 0 or high < 0) == (away > 1)
    assert low <= lift(pair) <= high


def test_there_is_no_lift_over_a_control_that_could_be_0() -> None:
    pair = Pair(0.01, 0.02, np.diag([1e-4, 1e-4]), 100, 98.0)
    assert lift_interval(pair, 1.96) is None
    assert lift(Pair(0.0, 0.02, np.diag([1e-4, 1e-4]), 100, 98.0)) is None


@given(st.floats(-8, 8), st.integers(2, 10**8), st.sampled_from([0.01, 0.05, 0.1]))
def test_an_always_valid_p_value_is_at_most_alpha_exactly_outside_of_the_interval(z, users, alpha) -> None:
    away = abs(z) - boundary(users, alpha, 5_000)
    if abs(away) > 1e-9:
        assert (always_valid_p_value(z, users, alpha, 5_000) <= alpha) == (away > 0)


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_p_values_are_adjusted_as_statsmodels_does(p_values) -> None:
    assert np.allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-6, atol=1e-12)
    assert np.allclose(
        benjamini_hochberg(p_values), multipletests(p_values, method="fdr_bh")[1], rtol=1e-6, atol=1e-12
    )


def test_one_huge_basket_does_not_decide() -> None:
    users = shoppers(2_000)
    revenue = users.revenue.copy()
    revenue[int(np.argmax(users.variant == 1))] = 1e9
    whale = totals(users.variant, revenue=revenue, impressions=users.impressions)
    pair = compare(metric_moments(whale, METRICS["revenue_per_user"], arms=2, strata=1), 1)
    assert pair.value < 2 * pair.control
    assert ceiling(np.zeros(5)) == np.inf


def test_sums_of_two_halves_are_those_of_the_whole(users) -> None:
    columns = [users.clicks, users.impressions]
    whole = moments(columns, np.full(2, NO_CAP), users.variant, np.zeros(3_000, np.int16), arms=2, strata=1)
    halves = moments(
        columns, np.full(2, NO_CAP), users.variant, (np.arange(3_000) % 2).astype(np.int16), arms=2, strata=2
    ).merged(np.zeros(2, np.intp))
    assert np.array_equal(whole.users, halves.users)
    assert halves.covariances() == pytest.approx(whole.covariances(), rel=1e-9)


def test_columns_far_from_0_keep_the_digits_of_their_variance() -> None:
    far = 1e9 + np.arange(1_000.0)
    summed = moments(
        [far, np.ones(1_000)],
        np.full(2, NO_CAP),
        (np.arange(1_000) % 2).astype(np.int16),
        np.zeros(1_000, np.int16),
        arms=2,
        strata=1,
    )
    assert summed.covariances()[0, 0, 0, 0] == pytest.approx(np.arange(0, 1_000, 2.0).var(ddof=1), rel=1e-9)


def test_an_arms_own_interval_is_none_without_impressions_and_not_below_0() -> None:
    seen = metric_moments(totals([0, 0, 1]), METRICS["ctr"], arms=2, strata=1)
    assert ratio_interval(seen, 0, 0.05) is None
    few = totals([0] * 50, impressions=np.full(50, 3.0), clicks=np.eye(1, 50)[0])
    low, high = ratio_interval(metric_moments(few, METRICS["ctr"], arms=2, strata=1), 0, 0.05)
    assert low == 0 < high
    assert compare(seen, 1) is None
    assert design().goal in METRICS
