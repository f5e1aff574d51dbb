"""The metrics of experiments: each a ratio of two sums over users, so that one method serves all.

A mean by user is a ratio too, with 1 for every user below the line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.experimentation.user_totals import UserTotals

Doubles = NDArray[np.float64]
Column = Callable[[UserTotals], Doubles]

WINSORIZED: Final = 0.99
"""Revenue and dwell above this quantile of the users who have any, all variants together, count as the
quantile: one huge basket must not decide."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is made of users' totals.

    Attributes
    ----------
    label
        As people read it.
    above, below
        Columns (users,) whose sums are divided; without `below`, by the number of users.
    before
        Columns of the days before the experiment that explain some of the spread (CUPED).
    test
        Names the method of comparison; each is the same arithmetic, of ratios of means (`estimates`).
    winsorized
        Whether `above` and `before` are cut at `WINSORIZED`.
    """

    name: str
    label: str
    unit: str
    above: Column
    below: Column | None = None
    before: tuple[Column, ...] = ()
    test: str = "Welch's t"
    winsorized: bool = False


def _clicks_before(users: UserTotals) -> Doubles:
    return users.clicks_before


def _impressions_before(users: UserTotals) -> Doubles:
    return users.impressions_before


def _revenue_before(users: UserTotals) -> Doubles:
    return users.revenue_before


def _dwell_before(users: UserTotals) -> Doubles:
    return users.dwell_before


_ALL: Final = (
    Metric(
        "ctr",
        "CTR",
        "clicks per impression",
        lambda users: users.clicks,
        lambda users: users.impressions,
        (_clicks_before, _impressions_before),
        test="delta method",
    ),
    Metric(
        "conversion_rate",
        "conversion rate",
        "share of users",
        lambda users: (users.conversions > 0).astype(np.float64),
        before=(_revenue_before, _clicks_before),
        test="two proportions, unpooled",
    ),
    Metric(
        "revenue_per_user",
        "revenue per user",
        "currency",
        lambda users: users.revenue,
        before=(_revenue_before,),
        winsorized=True,
    ),
    Metric(
        "dwell_per_user",
        "dwell per user",
        "seconds",
        lambda users: users.dwell_seconds,
        before=(_dwell_before,),
        winsorized=True,
    ),
    Metric(
        "clicks_per_user", "clicks per user", "clicks", lambda users: users.clicks, before=(_clicks_before,)
    ),
)

METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _ALL}
