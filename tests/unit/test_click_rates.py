"""Click-through rates by variant: windows, sums, intervals."""

from datetime import timedelta

import pytest
from scipy.stats import binomtest

from factories import NOW
from personalization.click_rates import Counts, Series, click_rate, click_rates, wilson_interval, window
from personalization.errors import InvalidInput

SERIES = Series("home", "home-ranking", "model")


@pytest.mark.parametrize(("clicks", "shown"), [(0, 10), (3, 1000), (57, 1200), (10, 10), (1, 1)])
def test_the_interval_is_scipys(clicks: int, shown: int) -> None:
    reference = binomtest(clicks, shown).proportion_ci(method="wilson")
    assert wilson_interval(clicks, shown) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_nothing_shown_has_no_interval_and_no_rate() -> None:
    assert wilson_interval(0, 0) is None
    rate = click_rate(SERIES, {NOW: Counts(0, 2)})
    assert (rate.rate, rate.interval, rate.clicks) == (None, None, 2)


def test_clicks_on_what_was_shown_before_the_window_do_not_break_the_interval() -> None:
    low, high = wilson_interval(12, 10) or (0, 0)
    assert 0 < low < high == 1


def test_a_variant_is_summed_over_its_points_in_their_order() -> None:
    earlier = NOW - timedelta(minutes=5)
    rate = click_rate(SERIES, {NOW: Counts(100, 3), earlier: Counts(50, 2)})
    assert (rate.impressions, rate.clicks, rate.rate) == (150, 5, 5 / 150)
    assert [point.at for point in rate.points] == [earlier, NOW]
    assert rate.interval == wilson_interval(5, 150)


def test_a_variant_of_which_nothing_was_counted_is_there() -> None:
    other = Series("home", "home-ranking", "covisitation")
    rates = click_rates([other, SERIES], {SERIES: {NOW: Counts(10, 1)}})
    assert [(rate.variant, rate.impressions) for rate in rates] == [("covisitation", 0), ("model", 10)]


@pytest.mark.parametrize(("hours", "minutes"), [("1", 5), ("6", 5), ("7", 60), ("336", 60)])
def test_the_window_ends_with_the_running_period_and_is_cut_into_whole_ones(hours: str, minutes: int) -> None:
    now = NOW + timedelta(minutes=2, seconds=30)
    chosen = window(hours, now)
    assert chosen.period == timedelta(minutes=minutes)
    assert chosen.end - chosen.start == timedelta(hours=int(hours))
    assert chosen.end - chosen.period <= now < chosen.end
    assert chosen.end.timestamp() % chosen.period.total_seconds() == 0


@pytest.mark.parametrize("hours", ["0", "337", "-1", "1.5", "", "³", "9999"])
def test_other_windows_are_refused(hours: str) -> None:
    with pytest.raises(InvalidInput, match="hours is a whole number from 1 to 336"):
        window(hours, NOW)
