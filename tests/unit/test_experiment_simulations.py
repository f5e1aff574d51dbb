import numpy as np
import pytest

from training.experimentation import simulate
from training.experimentation.simulated_users import Population, daily_moments, draw
from training.experimentation.simulations import calculate, simulate_splits, simulate_tests

RUNS = range(150)


def test_moments_by_day_are_those_of_users_totals_counted_anew() -> None:
    visits = draw(Population(users=300, days=5, returns=0.5), np.random.default_rng(1))
    for day, moments in enumerate(daily_moments(visits, 5)):
        seen = visits.day <= day
        totals = np.zeros((300, 2))
        np.add.at(totals, visits.user[seen], np.stack([visits.clicks, visits.impressions], 1)[seen])
        there = np.unique(visits.user[seen])
        for arm in (0, 1):
            mine = totals[there[visits.arm[there] == arm]]
            assert moments.users[arm, 0] == len(mine)
            assert moments.means()[arm, 0] == pytest.approx(mine.mean(axis=0))
            assert moments.covariances()[arm, 0] == pytest.approx(np.cov(mine.T))


def test_users_come_once_first_and_click_at_the_mean_rate() -> None:
    visits = draw(Population(users=50_000), np.random.default_rng(2))
    first = np.flatnonzero(np.diff(visits.user, prepend=-1))
    assert len(first) == 50_000
    assert np.all(np.diff(visits.day)[np.diff(visits.user) == 0] >= 0)
    assert visits.clicks.sum() / visits.impressions.sum() == pytest.approx(0.03, rel=0.02)
    assert len(visits.user) > 1.5 * 50_000


def test_peeking_is_safe_by_the_always_valid_test_only() -> None:
    found = simulate_tests(Population(users=2_800), RUNS, seed=1)
    assert found.always_valid.share <= 0.05
    assert found.peeking.share > 0.15
    assert found.one_look.share < 0.1


def test_the_calculators_size_finds_what_it_promises_within_chance() -> None:
    sizes = calculate(Population(users=0), 1 / 3, power=0.8, seed=1)
    assert sizes.one_look < sizes.always_valid
    found = simulate_tests(Population(users=2 * sizes.one_look, lift=1 / 3), RUNS, seed=2)
    assert found.one_look.share == pytest.approx(0.8, abs=0.1)
    assert found.always_valid.share < found.one_look.share
    found = simulate_tests(Population(users=2 * sizes.always_valid, lift=1 / 3), RUNS, seed=2)
    assert found.always_valid.share > 0.75


def test_the_same_seed_simulates_the_same() -> None:
    first, second = (simulate_tests(Population(users=400), range(20), seed=3) for _ in range(2))
    assert first == second
    assert simulate_tests(Population(users=400), range(20), seed=4) != first


def test_a_wrong_split_is_flagged_at_a_fraction_of_the_users() -> None:
    uneven, even = (simulate_splits(share, range(100), seed=1) for share in (0.51, 0.5))
    assert uneven.sequential.share > 0.97
    assert uneven.users < 60_000
    assert even.sequential.share <= 0.03
    assert even.peeking.share > 0.05


def test_the_command_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--runs", "3", "--users", "300"]) == 0
    printed = capsys.readouterr().out
    for words in ("A/A tests", "A/B tests", "splits of 100,000 users", "always-valid, any day"):
        assert words in printed


def test_the_command_refuses_what_it_cannot_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate.main(["--runs", "0"])
    assert "one run or more" in capsys.readouterr().err
