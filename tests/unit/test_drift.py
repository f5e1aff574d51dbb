"""The population stability index: textbook figures, and no alarm by chance alone."""

import numpy as np
import pytest
from scipy.stats import entropy

from training.drift import DRIFTED, drift, drift_by_tenths

MANY = 10_000, 10_000
"""Users, of whom chance explains nothing."""


def test_the_index_is_the_symmetric_divergence_of_both_distributions() -> None:
    before, now = np.array([5_000, 3_000, 2_000]), np.array([4_000, 3_500, 2_500])
    counts = (dict(zip("abc", found.tolist(), strict=True)) for found in (before, now))
    found = drift(*counts, MANY)
    assert found.psi == pytest.approx(entropy(now, before) + entropy(before, now), abs=1e-4)


def test_a_value_that_vanishes_or_appears_counts_and_is_named() -> None:
    found = drift({"app": 900, "web": 100}, {"app": 500, "tv": 500}, MANY)
    assert found.drifted
    assert found.moved == "tv"


def test_nothing_to_compare_with_is_no_drift() -> None:
    assert not drift({}, {"a": 5}, MANY).drifted
    assert not drift({"a": 5}, {}, MANY).drifted


def test_few_draws_of_one_distribution_are_let_pass() -> None:
    generator = np.random.default_rng(1)
    names = [f"{number}" for number in range(24)]

    def drawn(count: int) -> dict[str, int]:
        counts = generator.multinomial(count, np.full(24, 1 / 24)).tolist()
        return dict(zip(names, counts, strict=True))

    found = [drift(drawn(3_000), drawn(100), (3_000, 100)) for _ in range(300)]
    assert max(one.psi for one in found) > DRIFTED
    assert sum(one.drifted for one in found) <= 3


def test_one_busy_user_is_no_shift() -> None:
    usual, evening = {f"{hour:02}": 1_000 for hour in range(24)}, {"22": 5_000}
    assert not drift(usual, evening, (500, 3)).drifted
    assert drift(usual, evening, (500, 300)).drifted


def test_tenths_hold_equal_shares_of_what_was_expected() -> None:
    popularity = np.arange(100, 0, -1)
    same = drift_by_tenths(popularity, popularity, popularity, MANY)
    assert same.psi == 0
    turned = drift_by_tenths(popularity, popularity, popularity[::-1].copy(), MANY)
    assert turned.drifted


def test_new_items_count_with_the_rarest() -> None:
    before, now = np.array([50, 30, 20, 0, 0]), np.array([50, 30, 0, 10, 10])
    assert drift_by_tenths(before, before, now, MANY).psi == 0
