import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from personalization.errors import InvalidInput
from training.experimentation import open_bandit
from training.experimentation.choice_log import read_choices
from training.experimentation.off_policy import doubly_robust, importance_weights, ips, snips
from training.experimentation.thompson import allocate, best_probabilities, choose, effective_counts

LOG = Path(__file__).parents[3] / "shared" / "data" / "open-bandit" / "ab_log.csv.gz"
RATES = np.array([0.05, 0.1, 0.2, 0.3])
LOGGING, TARGET = np.array([0.1, 0.2, 0.3, 0.4]), np.full(4, 0.25)
TRUTH = float(TARGET @ RATES)


def logged(rng: np.random.Generator, rows: int = 2_000):
    chosen = rng.choice(4, rows, p=LOGGING)
    reward = (rng.random(rows) < RATES[chosen]).astype(float)
    return chosen, reward, importance_weights(TARGET[chosen], LOGGING[chosen])


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_intervals_hold_what_the_other_policy_would_have_earned_as_often_as_they_say(estimator: str) -> None:
    rng, held, values = np.random.default_rng(1), 0, []
    for _ in range(500):
        chosen, reward, weights = logged(rng)
        model = RATES * 0.8
        estimate = {
            "ips": lambda r=reward, w=weights: ips(r, w),
            "snips": lambda r=reward, w=weights: snips(r, w),
            "dr": lambda r=reward, w=weights, c=chosen, m=model: doubly_robust(
                r, w, predicted=m[c], expected=np.full(len(r), TARGET @ m)
            ),
        }[estimator]()
        held += estimate.low <= TRUTH <= estimate.high
        values.append(estimate.value)
    assert np.mean(values) == pytest.approx(TRUTH, abs=4 * np.std(values) / 500**0.5)
    assert 0.92 <= held / 500 <= 0.98


def test_a_good_model_narrows_the_estimate_and_so_do_weights_that_sum_to_1_where_all_earn_alike() -> None:
    chosen, reward, weights = logged(np.random.default_rng(2), 20_000)
    robust = doubly_robust(reward, weights, predicted=RATES[chosen], expected=np.full(20_000, TRUTH))
    assert robust.error < ips(reward, weights).error
    assert snips(np.ones(20_000), weights).error == pytest.approx(0)
    assert ips(np.ones(20_000), weights).error > 0


def test_the_asymptotic_interval_is_that_of_the_bootstrap() -> None:
    _, reward, weights = logged(np.random.default_rng(3))

    def normalized(reward, weight, axis):
        return (reward * weight).sum(axis=axis) / weight.sum(axis=axis)

    resampled = stats.bootstrap(
        (reward, weights.values),
        normalized,
        paired=True,
        n_resamples=1_000,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    found = snips(reward, weights)
    assert (found.low, found.high) == pytest.approx((resampled.low, resampled.high), abs=0.3 * found.error)


def test_clipping_is_counted_and_lowers_the_mean_weight() -> None:
    target, propensity = np.full(4, 0.5), np.array([0.001, 0.5, 0.5, 0.5])
    weights = importance_weights(target, propensity, clip=10)
    assert weights.values.tolist() == [10, 1, 1, 1]
    assert weights.clipped == 0.25
    assert weights.mean == 13 / 4
    assert weights.effective == pytest.approx(13**2 / 103)


def test_a_policy_that_the_log_never_follows_has_no_estimate() -> None:
    estimate = snips(np.ones(3), importance_weights(np.zeros(3), np.full(3, 0.5)))
    assert np.isnan(estimate.value)


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.1, np.nan])
def test_propensities_that_cannot_be_are_refused_with_the_row(propensity: float) -> None:
    with pytest.raises(InvalidInput, match="row 1"):
        importance_weights(np.full(2, 0.5), np.array([0.5, propensity]))
    with pytest.raises(InvalidInput):
        importance_weights(np.zeros(0), np.zeros(0))


def test_chances_of_being_best_are_those_of_drawn_posteriors() -> None:
    won, of = [12, 15, 30], [400, 380, 900]
    rng = np.random.default_rng(6)
    drawn = rng.beta(1 + np.array(won), 1 + np.array(of) - np.array(won), (200_000, 3)).argmax(axis=1)
    assert best_probabilities(won, of) == pytest.approx(np.bincount(drawn) / 200_000, abs=0.005)


def test_over_dispersed_users_leave_more_doubt_and_huge_counts_none() -> None:
    sure, doubtful = (best_probabilities([30, 50], [1_000, 1_000], design_effect=d) for d in (1, 5))
    assert 0.5 < doubtful[1] < sure[1]
    assert best_probabilities([10**8, 2 * 10**8], [10**9, 10**9]) == pytest.approx([0, 1])
    assert best_probabilities([0, 0], [0, 0]) == pytest.approx([0.5, 0.5])


def test_weights_leave_everybody_the_floor_and_sum_to_1() -> None:
    weights = allocate([0.0, 0.001, 0.999])
    assert sum(weights) == pytest.approx(1)
    assert min(weights) == 0.05
    for floor in (0, 0.4):
        with pytest.raises(InvalidInput):
            allocate([0.2, 0.3, 0.5], floor=floor)
    with pytest.raises(InvalidInput):
        best_probabilities([2], [1])


def test_a_bandit_finds_the_best_variant_and_its_log_tells_the_others_rates_without_bias() -> None:
    rates, estimates, last = np.array([0.1, 0.2]), [], []
    for run in range(50):
        rng = np.random.default_rng(run)
        chosen, rewards, propensities = [], [], []
        weights = [0.5, 0.5]
        for _ in range(6):
            for _ in range(100):
                variant, propensity = choose(weights, rng)
                chosen.append(variant)
                rewards.append(float(rng.random() < rates[variant]))
                propensities.append(propensity)
            log = np.array(chosen), np.array(rewards), np.array(propensities)
            weights = allocate(best_probabilities(*effective_counts(*log, variants=2)), floor=0.1)
        followed = [importance_weights((log[0] == variant).astype(float), log[2]) for variant in (0, 1)]
        estimates.append([ips(log[1], of).value for of in followed])
        last.append(weights[1])
    assert np.mean(last) > 0.75
    mean, error = np.mean(estimates, axis=0), np.std(estimates, axis=0) / 50**0.5
    assert np.all(np.abs(mean - rates) < 3.5 * error)


def line(variant="bts", click=0, propensity="0.5", item="a") -> str:
    return f"x,{variant},all,{item},1,{click},{propensity},u\n"


HEADER = "timestamp,variant,campaign,item_id,position,click,propensity,uf0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("variant,campaign\n", "no column item_id, position, click, propensity"),
        (HEADER + line() + line(click=2), "line 3: a click must be 0 or 1"),
        (HEADER + line(propensity="0"), "line 2: .* a propensity above 0"),
        (HEADER + line(propensity="nan"), "line 2"),
        (HEADER + line(propensity="many"), "line 2: not readable"),
        (HEADER + "x,bts\n", "line 2: not readable"),
        (HEADER + line(), "no campaign with both"),
        ("", "no column"),
    ],
)
def test_a_log_that_cannot_be_read_says_where(tmp_path: Path, capsys, text: str, words: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    assert open_bandit.main([str(tmp_path / "log.csv")]) == 1
    assert re.search(words, capsys.readouterr().err)


def test_a_packed_log_is_read_as_a_plain_one(tmp_path: Path) -> None:
    text = HEADER + line() + line("random", 1, "0.25", "b")
    (tmp_path / "log.csv").write_text(text)
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (read_choices(tmp_path / name)["all"] for name in ("log.csv", "log.csv.gz"))
    assert plain["random"].item.tolist() == packed["random"].item.tolist() == [1]
    assert plain["bts"].items == 2


@pytest.mark.skipif(not LOG.exists(), reason="the Open Bandit log is not beside the project")
def test_two_real_policies_are_compared_and_one_estimated_from_the_others_log(capsys) -> None:
    assert open_bandit.main([str(LOG)]) == 0
    printed = capsys.readouterr().out
    assert "Assumed" in printed
    campaigns = read_choices(LOG)
    assert {len(choices) for of in campaigns.values() for choices in of.values()} == {10_000}
    compared = open_bandit.compare_policies(campaigns)
    assert compared["men"].p_pooled == pytest.approx(0.03148, abs=1e-5)
    assert compared["women"].p_pooled == 1.0
    estimates = list(open_bandit.estimate_uniform(campaigns))
    assert [one.estimator for one in estimates] == ["IPS", "SNIPS", "DR"] * 3
    for one in estimates:
        assert one.estimate.low < one.observed < one.estimate.high or one.p_value > 0.05
        assert one.weights.effective < 1_000
