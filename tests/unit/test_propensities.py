"""Examination propensities against simulated truth, a library, and a randomised experiment."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import PoissonRegressor

from training.impressions import Impressions
from training.propensities import LEAST, examination_section, examine, propensities
from training.shop import Shop, examination
from training.visits import SLATE, visit

OPEN_BANDIT = Path(__file__).parents[3] / "shared" / "data" / "open-bandit" / "ab_log.csv.gz"
PLACES = 8


def impressions(item: npt.NDArray[Any], position: npt.NDArray[Any], clicked: npt.NDArray[Any]) -> Impressions:
    nobody = np.zeros(len(item), dtype=np.int64)
    return Impressions(
        nobody.astype(np.int32),
        item.astype(np.int32),
        nobody,
        position.astype(np.uint8),
        clicked.astype(np.bool_),
    )


def sorted_by_attraction(chance: np.random.Generator, *, slates: int = 30_000) -> Impressions:
    """Put the better items nearer the top, most of the time."""
    attraction = chance.beta(2, 8, size=100)
    items = np.array([chance.choice(100, PLACES, replace=False) for _ in range(slates)])
    noisy = attraction[items] + chance.normal(0, 0.1, size=items.shape)
    items = np.take_along_axis(items, np.argsort(-noisy, axis=1), axis=1)
    looked = examination(np.arange(PLACES))
    clicked = chance.random(items.shape) < looked * attraction[items]
    position = np.broadcast_to(np.arange(PLACES), items.shape)
    return impressions(items.ravel(), position.ravel(), clicked.ravel())


def test_the_synthetic_shops_propensities_are_found() -> None:
    shop = Shop.open(seed=1, users=4_000, items=300)
    visits = visit(shop, days=30, chance=np.random.default_rng(1))
    slate, position = np.nonzero(visits.slates >= 0)
    clicked = np.zeros(visits.slates.shape, dtype=np.bool_)
    click = (visits.kind == 1) & (visits.user < 4_000)
    clicked[visits.slate[click], visits.position[click]] = True
    people = np.zeros(len(visits.slates), dtype=np.bool_)
    people[visits.slate[visits.user < 4_000]] = True
    kept = people[slate]
    shown = impressions(visits.slates[slate, position], position, clicked[slate, position]).where(kept)
    np.testing.assert_allclose(propensities(shown), examination(np.arange(SLATE)), atol=0.03)


def test_good_items_first_do_not_make_the_first_place_look_better() -> None:
    shown = sorted_by_attraction(np.random.default_rng(2))
    rate = np.bincount(shown.position[shown.clicked]) / np.bincount(shown.position)
    truth = examination(np.arange(PLACES))
    assert np.abs(rate / rate[0] - truth).max() > 0.1
    np.testing.assert_allclose(propensities(shown), truth, atol=0.04)


def test_the_fit_is_a_poisson_regressions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One factor an item and one a place: the same maximum as scikit-learn's, without the prior."""
    monkeypatch.setattr("training.propensities.PRIOR_CLICKS", 0.0)
    shown = sorted_by_attraction(np.random.default_rng(4), slates=4_000)
    design = np.hstack((np.eye(100)[shown.item], np.eye(PLACES)[shown.position][:, 1:]))
    cells, row = np.unique(design, axis=0, return_inverse=True)
    count = np.bincount(row)
    model = PoissonRegressor(alpha=0, fit_intercept=False, max_iter=2_000, tol=1e-8)
    model.fit(cells, np.bincount(row, weights=shown.clicked) / count, sample_weight=count)
    np.testing.assert_allclose(propensities(shown)[1:], np.exp(model.coef_[100:]), rtol=2e-3)


def test_places_hardly_shown_are_taken_for_unbiased_and_none_for_less_than_the_least() -> None:
    rare = impressions(np.zeros(3), np.array([0, 1, 2]), np.array([True, False, False]))
    assert (propensities(rare) > 0.9).all()
    blind = impressions(np.zeros(20_000), np.arange(20_000) % 2, np.arange(20_000) % 2 == 0)
    assert propensities(blind).tolist() == [1.0, LEAST]


def test_a_log_without_impressions_has_no_propensities() -> None:
    nothing = Impressions.none()
    assert len(propensities(nothing)) == 0
    assert examine(nothing).propensities == ()
    assert "no impressions" in examination_section(examine(nothing))


def test_the_report_tells_each_place_its_propensity_and_counts() -> None:
    shown = sorted_by_attraction(np.random.default_rng(5), slates=2_000)
    found = examine(shown)
    assert found.impressions == (2_000,) * PLACES
    assert sum(found.clicks) == shown.clicked.sum()
    assert found.propensities[0] == 1.0
    assert f"place {PLACES}: " in examination_section(found)


@pytest.mark.skipif(not OPEN_BANDIT.exists(), reason="the Open Bandit sample is not beside the project")
def test_a_policys_log_and_a_randomised_one_tell_the_same_propensities() -> None:
    """The policy puts what it believes in first; the random one shows anything anywhere: the experiment."""
    with gzip.open(OPEN_BANDIT, "rt") as file:
        rows = list(csv.DictReader(file))
    campaigns = sorted({row["campaign"] for row in rows})
    item = np.array([100 * campaigns.index(row["campaign"]) + int(row["item_id"]) for row in rows])
    position = np.array([int(row["position"]) - 1 for row in rows])
    clicked = np.array([row["click"] == "1" for row in rows])
    random = np.array([row["variant"] == "random" for row in rows])
    shown = impressions(item, position, clicked)
    clicks = np.bincount(position[random & clicked])
    experiment = clicks / np.bincount(position[random])
    estimated, logged = propensities(shown.where(random)), propensities(shown.where(~random))
    error = np.sqrt(1 / clicks + 1 / clicks[0])
    assert (np.abs(np.log(estimated * experiment[0] / experiment)) < error).all()
    assert (np.abs(np.log(logged / estimated)) < 3 * error).all()
