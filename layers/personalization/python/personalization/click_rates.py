"""Click-through rates by variant over the last hours, from the counts that CloudWatch holds."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

from msgspec import Struct

from personalization.errors import InvalidInput
from personalization.experiments import Experiment

LONGEST: Final = timedelta(days=14)
_FINE: Final = timedelta(minutes=5)
_COARSE: Final = timedelta(hours=1)
_FINE_UP_TO: Final = timedelta(hours=6)


class Series(NamedTuple):
    """What counts are kept by: one variant of an experiment on a surface."""

    surface: str
    experiment: str
    variant: str


class Counts(NamedTuple):
    """What was shown and clicked in one period."""

    impressions: float
    clicks: float


class Window(NamedTuple):
    """The last hours, cut into periods on whole multiples of their length: [start, end).

    Attributes
    ----------
    end
        End of the period that is running.
    """

    start: datetime
    end: datetime
    period: timedelta


class Point(Struct, frozen=True):
    """One period of one variant; its interval is as that of the whole window."""

    at: datetime
    impressions: int
    clicks: int
    interval: tuple[float, float] | None


class ClickRate(Struct, frozen=True, kw_only=True):
    """One variant over the window.

    Attributes
    ----------
    rate
        Clicks per impression; None before the first impression.
    interval
        Wilson's 95% interval. It takes impressions for independent, which those of one user are not: it is
        narrower than the one of the experiment's results, whose unit is the user.
    points
        The periods in which something was counted, oldest first.
    """

    surface: str
    experiment: str
    variant: str
    impressions: int
    clicks: int
    rate: float | None
    interval: tuple[float, float] | None
    points: tuple[Point, ...]


def window(hours: str, now: datetime) -> Window:
    """Cut the last `hours` into periods of five minutes, or of an hour if they are more than six.

    Raises
    ------
    InvalidInput
        `invalid_parameter`: `hours` is no whole number, or CloudWatch keeps no such periods.

    >>> from datetime import UTC
    >>> window("3", datetime(2026, 1, 15, 12, 2, tzinfo=UTC)).start.isoformat()
    '2026-01-15T09:05:00+00:00'
    """
    longest = LONGEST // timedelta(hours=1)
    if not (hours.isascii() and hours.isdigit() and len(hours) <= 3 and 1 <= int(hours) <= longest):
        raise InvalidInput("invalid_parameter", f"hours is a whole number from 1 to {longest}")
    length = timedelta(hours=int(hours))
    period = _FINE if length <= _FINE_UP_TO else _COARSE
    epoch = datetime.fromtimestamp(0, now.tzinfo)
    end = epoch + ((now - epoch) // period + 1) * period
    return Window(end - length, end, period)


def series_of(experiments: Iterable[Experiment]) -> list[Series]:
    """Name the series of every variant, in the order of the definitions."""
    return [
        Series(experiment.surface, experiment.name, variant.name)
        for experiment in experiments
        for variant in experiment.variants
    ]


def click_rate(series: Series, counts: Mapping[datetime, Counts]) -> ClickRate:
    """Sum up one variant."""
    points = tuple(_point(at, counts[at]) for at in sorted(counts))
    impressions = sum(point.impressions for point in points)
    clicks = sum(point.clicks for point in points)
    return ClickRate(
        **series._asdict(),
        impressions=impressions,
        clicks=clicks,
        rate=clicks / impressions if impressions else None,
        interval=wilson_interval(clicks, impressions),
        points=points,
    )


def _point(at: datetime, counts: Counts) -> Point:
    impressions, clicks = round(counts.impressions), round(counts.clicks)
    return Point(at, impressions, clicks, wilson_interval(clicks, impressions))


def click_rates(
    series: Sequence[Series], counts: Mapping[Series, Mapping[datetime, Counts]]
) -> list[ClickRate]:
    """Sum up every variant, those of which nothing was counted too. Cost: one pass over the points."""
    return [click_rate(one, counts.get(one, {})) for one in series]


def wilson_interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Interval of a proportion (Wilson 1927, without continuity correction); None of no trials.

    Clicks on what was shown before the window began may outnumber its impressions; they count as all.

    >>> [round(end, 4) for end in wilson_interval(30, 1000)]
    [0.0211, 0.0425]
    """
    if not trials:
        return None
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = min(successes, trials) / trials
    center = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)
