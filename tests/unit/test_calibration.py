"""Expected against observed clicks: by place, by model version, of lists that were really theirs."""

from datetime import timedelta

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from factories import NOW, event
from personalization.tokens import issue
from training.calibration import calibrate, position_rates
from training.calibration_report import calibration_section
from training.statistics import Day, Exposure, Statistics

TODAY = NOW.date()


def token(version: str = "v1", *, user: str = "user-1", offset: int = 0) -> str:
    return issue(
        b"secret",
        list_id="l",
        user_key=user,
        surface="home",
        assignments=(),
        model_version=version,
        item_ids=["a", "b", "c"],
        issued_at=NOW,
        offset=offset,
    )


def counted(*events) -> dict[str, Exposure]:
    statistics = Statistics()
    for one in events:
        statistics.exposure(one)
    return statistics.days[TODAY].shown if statistics.days else {}


def test_impressions_and_clicks_count_at_the_places_of_their_list() -> None:
    shown = counted(
        event("impression", item_ids=("a", "b", "c"), recommendation_id=token()),
        event("impression", item_ids=("b",), recommendation_id=token(offset=10)),
        event("click", "c", recommendation_id=token()),
        event("click", "stranger", recommendation_id=token()),
    )
    impressions = [1, 1, 1, *[0] * 8, 1]
    assert shown["v1"] == Exposure(impressions, [0, 0, 1, *[0] * 9])


@pytest.mark.parametrize(
    "fields", [{"recommendation_id": token(user="eve")}, {"recommendation_id": "%"}, {}, {"bot": True}]
)
def test_what_is_no_list_of_the_users_own_is_left_out(fields: dict) -> None:
    if fields.get("bot"):
        fields["recommendation_id"] = token()
    assert not counted(event("click", "a", **fields))


def test_invented_versions_are_bounded() -> None:
    events = [event("click", "a", recommendation_id=token(f"v{number}")) for number in range(50)]
    assert len(counted(*events)) == 8


def test_rates_by_place_are_those_of_an_independent_isotonic_regression() -> None:
    shown = np.array([900, 700, 500, 400, 300, 200])
    clicked = np.array([90, 80, 30, 35, 9, 8])
    known = IsotonicRegression(increasing=False).fit_transform(
        np.arange(6), clicked / shown, sample_weight=shown
    )
    assert position_rates(Exposure(shown.tolist(), clicked.tolist())) == pytest.approx(known)


def days(newest: dict[str, Exposure]) -> dict:
    usual = Exposure([1_000, 1_000, 1_000], [100, 60, 20])
    earlier = {TODAY - timedelta(days=age): Day(shown={"v0": usual}) for age in (2, 3)}
    return earlier | {TODAY - timedelta(days=1): Day(shown=newest), TODAY: Day(shown={"v9": usual})}


def test_each_version_is_held_against_the_days_before() -> None:
    newest = {"v1": Exposure([1_000] * 3, [100, 60, 20]), "v2": Exposure([500, 500], [20, 10])}
    one, two = calibrate(days(newest), before=TODAY)
    assert (one.version, one.expected, one.observed, one.calibration_error) == ("v1", 0.06, 0.06, 0)
    assert (two.version, two.expected, two.observed) == ("v2", 0.08, 0.03)
    assert two.calibration_error == pytest.approx(0.05)
    clicks = np.repeat([1, 0, 1, 0], [20, 480, 10, 490])
    assert two.brier == pytest.approx(brier_score_loss(clicks, np.repeat([0.1, 0.06], 500)), abs=1e-6)
    assert "-62.5%" in calibration_section((two,))


def test_without_two_days_of_lists_there_is_nothing_to_say() -> None:
    assert calibrate({}, before=TODAY) == ()
    assert calibrate({TODAY - timedelta(days=1): Day(shown={"v": Exposure([9], [1])})}, before=TODAY) == ()
    assert "two days" in calibration_section(())
