"""Ranking metrics against hand-computed values and trec_eval."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from training.metrics import (
    average_precision,
    binary_ndcg,
    gains,
    hit_rate,
    mean_interval,
    mean_reciprocal_rank,
    ndcg,
)

ITEMS = 30
lists = st.lists(st.permutations(range(ITEMS)).map(lambda items: items[:20]), min_size=1, max_size=8)


def trec(found: list[list[int]], relevant: list[set[int]], *measures: str) -> dict[str, list[float]]:
    """Each user's measures, as trec_eval computes them."""
    truth = {str(user): {str(item): 1 for item in items} for user, items in enumerate(relevant)}
    run = {
        str(user): {str(item): float(-place) for place, item in enumerate(items)}
        for user, items in enumerate(found)
    }
    names = {measure.replace(".", "_"): measure for measure in measures}
    by_user = pytrec_eval.RelevanceEvaluator(truth, set(measures)).evaluate(run)
    return {name: [by_user[str(user)][name] for user in range(len(found))] for name in names}


def test_the_metrics_of_a_hand_made_example() -> None:
    ranks = np.array([1, 2, 11, 0])
    assert hit_rate(ranks, 10) == 0.5
    assert ndcg(ranks, 10) == pytest.approx((1 + 1 / np.log2(3)) / 4)
    assert mean_reciprocal_rank(ranks, 10) == pytest.approx(0.375)


def test_no_users_score_nothing() -> None:
    empty = np.array([], dtype=np.int64)
    assert (hit_rate(empty, 10), ndcg(empty, 10), mean_reciprocal_rank(empty, 10)) == (0.0, 0.0, 0.0)


@given(lists, st.data(), st.integers(1, 20))
def test_one_relevant_item_scores_what_trec_eval_says(
    found: list[list[int]], data: st.DataObject, k: int
) -> None:
    wanted = [data.draw(st.integers(0, ITEMS - 1)) for _ in found]
    pairs = zip(found, wanted, strict=True)
    ranks = np.array([items.index(item) + 1 if item in items else 0 for items, item in pairs])
    relevant = [{item} for item in wanted]
    expected = trec(found, relevant, f"ndcg_cut.{k}", f"recall.{k}", f"success.{k}", f"map_cut.{k}")
    first = trec([items[:k] for items in found], relevant, "recip_rank")["recip_rank"]
    np.testing.assert_allclose(gains(ranks, k), expected[f"ndcg_cut_{k}"], atol=1e-6)
    assert ndcg(ranks, k) == pytest.approx(np.mean(expected[f"ndcg_cut_{k}"]), abs=1e-6)
    assert hit_rate(ranks, k) == pytest.approx(np.mean(expected[f"recall_{k}"]), abs=1e-6)
    assert hit_rate(ranks, k) == pytest.approx(np.mean(expected[f"success_{k}"]), abs=1e-6)
    assert mean_reciprocal_rank(ranks, k) == pytest.approx(np.mean(first), abs=1e-6)
    assert mean_reciprocal_rank(ranks, k) == pytest.approx(np.mean(expected[f"map_cut_{k}"]), abs=1e-6)


@given(lists, st.data(), st.integers(1, 20))
def test_ndcg_of_several_relevant_items_is_trec_evals(
    found: list[list[int]], data: st.DataObject, k: int
) -> None:
    relevant = [data.draw(st.sets(st.integers(0, ITEMS - 1), min_size=1)) for _ in found]
    pairs = zip(found, relevant, strict=True)
    hits = np.array([[item in wanted for item in items[:k]] for items, wanted in pairs])
    expected = trec(found, relevant, f"ndcg_cut.{k}")[f"ndcg_cut_{k}"]
    np.testing.assert_allclose(
        binary_ndcg(hits, np.array([len(one) for one in relevant])), expected, atol=1e-6
    )


@given(lists, st.data(), st.integers(1, 20))
def test_average_precision_of_several_relevant_items_is_trec_evals(
    found: list[list[int]], data: st.DataObject, k: int
) -> None:
    relevant = [data.draw(st.sets(st.integers(0, ITEMS - 1), min_size=1, max_size=8)) for _ in found]
    pairs = zip(found, relevant, strict=True)
    hits = np.array([[item in wanted for item in items] for items, wanted in pairs])
    sizes = np.array([len(wanted) for wanted in relevant])
    # trec_eval divides by all relevant items, also where the list is too short to hold them.
    expected = np.array(trec(found, relevant, f"map_cut.{k}")[f"map_cut_{k}"]) * sizes / np.minimum(sizes, k)
    np.testing.assert_allclose(average_precision(hits, sizes, k), expected, atol=1e-6)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=50))
def test_a_longer_list_never_scores_less(ranks: list[int]) -> None:
    found = np.array(ranks)
    for metric in (hit_rate, ndcg, mean_reciprocal_rank):
        assert metric(found, 5) <= metric(found, 10) <= metric(found, 20)
        assert 0 <= metric(found, 20) <= 1


@pytest.mark.parametrize("users", [30, 3_000])
def test_the_interval_of_a_mean_is_the_bootstraps(users: int) -> None:
    values = gains(np.random.default_rng(3).integers(0, 25, size=users), 10)
    expected = bootstrap(
        (values,), np.mean, n_resamples=20_000, batch=100, method="percentile", rng=np.random.default_rng(8)
    ).confidence_interval
    spread = expected.high - expected.low
    assert mean_interval(values) == pytest.approx(tuple(expected), abs=0.06 * spread)


@given(st.lists(st.sampled_from([0.0, 0.5, 0.63, 1.0]), min_size=2, max_size=40), st.randoms())
def test_an_interval_holds_the_mean_whatever_the_order(values: list[float], chance) -> None:
    low, high = mean_interval(np.array(values))
    shuffled = chance.sample(values, len(values))
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert mean_interval(np.array(shuffled)) == (low, high)


def test_one_value_says_nothing_about_the_mean() -> None:
    assert mean_interval(np.array([0.5])) == (-np.inf, np.inf)
