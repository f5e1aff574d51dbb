"""Users of made-up experiments, as the statistics take them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from training.experimentation.design import Arm, ExperimentDesign
from training.experimentation.user_totals import UserTotals

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=14)


def design(*names: str, **fields: Any) -> ExperimentDesign:
    arms = tuple(Arm(name, 1 / len(names)) for name in names) or (Arm("control", 0.5), Arm("model", 0.5))
    return ExperimentDesign(**{"name": "ranking", "surface": "home", "arms": arms} | fields)


def totals(variant: Any, **columns: Any) -> UserTotals:
    """Users who came evenly over two weeks; columns that are not given are 0."""
    users = len(variant)
    zeros = np.zeros(users)
    came = START.timestamp() + np.arange(users) * (END - START).total_seconds() / max(users, 1)
    given = {
        "variant": np.asarray(variant, np.int16),
        "first_exposed": came.astype(np.int64),
        "stratum": np.zeros(users, np.int16),
    }
    return UserTotals(
        **{name: given.get(name, columns.get(name, zeros)) for name in UserTotals.__slots__}
        | {name: np.asarray(column) for name, column in columns.items()}
    )


def shoppers(
    users: int, *, lifts: tuple[float, ...] = (0.0, 0.0), seed: int = 1, revenue_lift: float = 0.0
) -> UserTotals:
    """Users with click rates of their own, alike before and during the experiment, one lift a variant."""
    rng = np.random.default_rng(seed)
    variant = rng.integers(0, len(lifts), users)
    rate = rng.beta(1.5, 28.5, users)
    now = np.minimum(rate * (1 + np.array(lifts)[variant]), 1)
    shown, shown_before = 1 + rng.poisson(15, users), rng.poisson(15, users)
    clicks, before = rng.binomial(shown, now), rng.binomial(shown_before, rate)
    bought = rng.binomial(clicks, 0.2)
    spent = bought * rng.lognormal(3, 0.5, users) * np.where(variant > 0, 1 + revenue_lift, 1)
    return totals(
        variant,
        impressions=shown.astype(float),
        clicks=clicks.astype(float),
        conversions=bought.astype(float),
        revenue=spent,
        dwell_seconds=clicks * rng.exponential(40, users),
        clicks_before=before.astype(float),
        impressions_before=shown_before.astype(float),
        revenue_before=before * 4.0,
        dwell_before=before * 40.0,
    )
