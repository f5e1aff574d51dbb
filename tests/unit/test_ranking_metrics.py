"""Ranking metrics against hand-computed values and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from training.metrics import gains, hit_rate, mean_reciprocal_rank, ndcg


def test_the_metrics_of_a_hand_made_example() -> None:
    ranks = np.array([1, 2, 11, 0])
    assert hit_rate(ranks, 10) == 0.5
    assert ndcg(ranks, 10) == pytest.approx((1 + 1 / np.log2(3)) / 4)
    assert mean_reciprocal_rank(ranks, 10) == pytest.approx(0.375)


def test_no_users_score_nothing() -> None:
    empty = np.array([], dtype=np.int64)
    assert (hit_rate(empty, 10), ndcg(empty, 10), mean_reciprocal_rank(empty, 10)) == (0.0, 0.0, 0.0)


@given(st.integers(1, 30), st.integers(1, 30))
def test_ndcg_of_one_relevant_item_equals_scikit_learns(rank: int, k: int) -> None:
    relevance, scores = np.zeros((1, 30)), -np.arange(30.0)[None, :]
    relevance[0, rank - 1] = 1
    assert gains(np.array([rank]), k)[0] == pytest.approx(ndcg_score(relevance, scores, k=k))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=50))
def test_a_longer_list_never_scores_less(ranks: list[int]) -> None:
    found = np.array(ranks)
    for metric in (hit_rate, ndcg, mean_reciprocal_rank):
        assert metric(found, 5) <= metric(found, 10) <= metric(found, 20)
        assert 0 <= metric(found, 20) <= 1
