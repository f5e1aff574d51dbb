"""The population stability index: textbook figures, and no alarm by chance alone."""

import numpy as np
import pytest
from scipy.stats import entropy

from training.drift import DRIFTED, drift, drift_by_tenths


def test_the_index_is_the_symmetric_divergence_of_both_distributions() -> None:
    before, now = np.array([5_000, 3_000, 2_000]), np.array([4_000, 3_500, 2_500])
    found = drift(dict(zip("abc", before.tolist(), strict=True)), dict(zip("abc", now.tolist(), strict=True)))
    assert found.psi == pytest.approx(entropy(now, before) + entropy(before, now), abs=1e-4)


def test_a_value_that_vanishes_or_appears_counts_and_is_named() -> None:
    found = drift({"app": 900, "web": 100}, {"app": 500, "tv": 500})
    assert found.drifted
    assert found.moved == "tv"


def test_nothing_to_compare_with_is_no_drift() -> None:
    assert not drift({}, {"a": 5}).drifted
    assert not drift({"a": 5}, {}).drifted


def test_few_draws_of_one_distribution_are_let_pass() -> None:
    generator = np.random.default_rng(1)
    names = [f"{number}" for number in range(24)]

    def drawn(count: int) -> dict[str, int]:
        counts = generator.multinomial(count, np.full(24, 1 / 24)).tolist()
        return dict(zip(names, counts, strict=True))

    found = [drift(drawn(3_000), drawn(100)) for _ in range(300)]
    assert max(one.psi for one in found) > DRIFTED
    assert sum(one.drifted for one in found) <= 3


def test_tenths_hold_equal_shares_of_what_was_expected() -> None:
    popularity = np.arange(100, 0, -1)
    same = drift_by_tenths(popularity, popularity, popularity)
    assert same.psi == 0
    turned = drift_by_tenths(popularity, popularity, popularity[::-1].copy())
    assert turned.drifted


def test_new_items_count_with_the_rarest() -> None:
    before, now = np.array([50, 30, 20, 0, 0]), np.array([50, 30, 0, 10, 10])
    assert drift_by_tenths(before, before, now).psi == 0
