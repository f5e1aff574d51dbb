"""Same method, same result: every entry of the published reference values.

They were computed with SciPy, statsmodels and GrowthBook's own statistics; the file lies beside the project.
"""

import json
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.experimentation.estimates import Pair
from training.experimentation.lifts import (
    difference_interval,
    lift,
    lift_error,
    p_value,
    standard_errors,
    width_at_one_look,
)
from training.experimentation.proportions import two_proportions
from training.experimentation.sample_ratio import chi_squared, sequential
from training.experimentation.sample_size import Formula, proportion_power, proportion_users
from training.experimentation.sequential import always_valid_p_value, boundary, mixture_precision

FILE = Path(__file__).parents[3] / "shared" / "data" / "growthbook" / "reference_values.json"
VALUES: dict[str, Any] = json.loads(FILE.read_bytes()) if FILE.exists() else {}
pytestmark = pytest.mark.skipif(not VALUES, reason=f"{FILE.name} of GrowthBook is not beside the project")
ALPHA, TUNING = 0.05, 5_000


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-6, abs=1e-6)


def entries(section: str) -> list[Any]:
    return list(VALUES.get(section, [])) or [pytest.param({}, marks=pytest.mark.skip("no reference values"))]


def pair_of(entry: dict[str, Any]) -> Pair:
    """GrowthBook's variance of a proportion is p (1 - p), over n."""
    (first, of_first), (second, of_second) = entry["control"], entry["treatment"]
    control, value = first / of_first, second / of_second
    parts = np.array([control * (1 - control) / of_first, value * (1 - value) / of_second])
    freedom = parts.sum() ** 2 / (parts**2 / (np.array([of_first, of_second]) - 1)).sum()
    return Pair(control, value, np.diag(parts), of_first + of_second, float(freedom))


def test_the_file_holds_nothing_else() -> None:
    assert set(VALUES) == {
        "versions",
        "note",
        "two_proportion",
        "sample_size",
        "srm",
        "sequential_rho_two_sided",
        "sequential_halfwidth",
        "sequential_srm_dirichlet_10000",
    }


@pytest.mark.parametrize("entry", entries("two_proportion"))
def test_two_proportions(entry: dict[str, Any]) -> None:
    found = two_proportions(*entry["control"], *entry["treatment"])
    assert found.difference == near(entry["diff"])
    assert (found.z_pooled, found.p_pooled) == near((entry["z_pooled"], entry["p_pooled"]))
    assert found.p_pooled == near(entry["chi2_nocorr_p"])
    assert (found.z_unpooled, found.p_unpooled) == near((entry["z_unpooled"], entry["p_unpooled"]))
    assert found.wald == near(tuple(entry["wald95"]))
    assert found.newcombe == near(tuple(entry["newcombe95"]))
    assert found.p_exact == near(entry["fisher_p"])


@pytest.mark.parametrize("entry", entries("two_proportion"))
def test_welch_and_always_valid_intervals_of_the_difference(entry: dict[str, Any]) -> None:
    one_look, always = entry["gb_ttest_abs"], entry["gb_seq_abs_5000"]
    pair = pair_of(entry)
    z = standard_errors(pair)
    if one_look["error"]:
        assert z == near(entry["z_unpooled"]), "GrowthBook refuses it, as nobody of the control converts"
        return
    assert pair.difference == near(one_look["expected"])
    assert difference_interval(pair, width_at_one_look(pair, ALPHA)) == near(tuple(one_look["ci"]))
    assert p_value(z, pair.freedom) == near(one_look["p"])
    assert difference_interval(pair, boundary(pair.users, ALPHA, TUNING)) == near(tuple(always["ci"]))
    assert always_valid_p_value(z, pair.users, ALPHA, TUNING) == near(always["p"])


@pytest.mark.parametrize("entry", entries("two_proportion"))
def test_welch_and_always_valid_intervals_of_the_lift_by_the_delta_method(entry: dict[str, Any]) -> None:
    one_look, always = entry["gb_ttest_rel"], entry["gb_seq_rel_5000"]
    pair = pair_of(entry)
    found = lift(pair)
    if one_look["error"]:
        assert found is None, "GrowthBook refuses it: there is no lift over a control of 0"
        return
    assert found == near(one_look["expected"])
    error = lift_error(pair)
    for width, ci in (
        (width_at_one_look(pair, ALPHA), one_look["ci"]),
        (boundary(pair.users, ALPHA, TUNING), always["ci"]),
    ):
        assert (found - width * error, found + width * error) == near(tuple(ci))
    assert p_value(found / error, pair.freedom) == near(one_look["p"])
    assert always_valid_p_value(found / error, pair.users, ALPHA, TUNING) == near(always["p"])


@pytest.mark.parametrize("entry", entries("sample_size"))
def test_sample_sizes_by_three_formulas(entry: dict[str, Any]) -> None:
    control, value = entry["p1"], entry["p1"] * (1 + entry["rel_mde"])
    for formula, name in (
        (Formula.ARCSINE, "n_per_arm_arcsine_statsmodels"),
        (Formula.UNPOOLED, "n_per_arm_unpooled"),
        (Formula.POOLED, "n_per_arm_pooled_h0_fleiss"),
    ):
        users = proportion_users(control, value, alpha=entry["alpha"], power=entry["power"], formula=formula)
        assert users == pytest.approx(entry[name], rel=1e-6)
    users = ceil(entry["n_per_arm_pooled_h0_fleiss"])
    assert proportion_power(control, value, users) == near(entry["power_check_statsmodels_at_ceil_pooled"])


@pytest.mark.parametrize("entry", entries("srm"))
def test_sample_ratios_by_chi_squared(entry: dict[str, Any]) -> None:
    p = chi_squared(entry["users"], entry["weights"])
    assert p == near(entry["scipy_chisquare_p"])
    assert p == near(entry["gbstats_p"])


@pytest.mark.parametrize("entry", entries("sequential_srm_dirichlet_10000"))
def test_sample_ratios_by_the_sequential_test(entry: dict[str, Any]) -> None:
    looks = accumulate(([day] for day in entry["daily"]), lambda before, day: before + day)
    found = [sequential(np.array(days), entry["weights"]) for days in looks]
    assert found == pytest.approx(entry["p"], rel=1e-6)


def test_the_precision_of_the_mixture() -> None:
    for name, rho in VALUES["sequential_rho_two_sided"].items():
        alpha, tuning = name.split(",")
        assert mixture_precision(float(alpha), int(tuning)) == near(rho)


@pytest.mark.parametrize("entry", entries("sequential_halfwidth"))
def test_half_widths_of_the_always_valid_interval(entry: dict[str, Any]) -> None:
    errors = boundary(entry["n"], entry["alpha"], entry["tuning"])
    assert errors * (entry["s2"] / entry["n"]) ** 0.5 == near(entry["halfwidth"])
