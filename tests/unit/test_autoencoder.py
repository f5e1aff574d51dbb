"""The linear autoencoder against the regression that defines it."""

import numpy as np
import pytest

from training.acts import Acts
from training.autoencoder import REGULARIZATION, autoencode

USERS, ITEMS = 60, 8


def acts(matrix: np.ndarray) -> Acts:
    user, item = np.nonzero(matrix)
    return Acts(user, item, np.arange(len(user)), np.ones(len(user), dtype=np.float32))


def made(seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    taste = chance.integers(2, size=USERS)[:, None] == np.arange(ITEMS) % 2
    return (chance.random((USERS, ITEMS)) < np.where(taste, 0.7, 0.1)).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_each_item_is_told_by_the_others_as_ridge_regression_says(seed: int) -> None:
    matrix = made(seed)
    found = autoencode(acts(matrix), ITEMS).toarray()
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        x = matrix[:, others]
        ridge = np.linalg.solve(x.T @ x + REGULARIZATION * np.eye(len(others)), x.T @ matrix[:, item])
        np.testing.assert_allclose(found[others, item], np.maximum(ridge, 0.0), atol=1e-6)
        assert found[item, item] == 0


def test_of_a_larger_catalogue_the_items_with_most_users_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.autoencoder.MOST_ITEMS", 4)
    matrix = made(1)
    matrix[:, [1, 6]] = 0
    matrix[0, 1] = 1
    found = autoencode(acts(matrix), ITEMS)
    most = set(np.argsort(-matrix.sum(axis=0), kind="stable")[:4].tolist())
    assert set(found.nonzero()[0].tolist()) | set(found.nonzero()[1].tolist()) <= most
    assert found.nnz > 0


def test_a_log_without_acts_tells_nothing() -> None:
    assert autoencode(acts(np.zeros((1, ITEMS))), ITEMS).nnz == 0
