"""How much longer a running experiment needs, from the spread its own data shows."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalization.experiment_results import Plan, Role
from training.experimentation.comparing import Measured
from training.experimentation.design import ExperimentDesign
from training.experimentation.sample_size import days, total_users

LATELY: Final = timedelta(days=7)
"""Traffic is that of the last whole week, or of the time since the start where that is shorter."""
_MOST: Final = 10**12
"""No plan names more users: they will not come."""


def make_plan(
    design: ExperimentDesign,
    measured: Sequence[Sequence[Measured]],
    first_exposed: NDArray[np.int64],
    *,
    as_of: datetime,
    started_at: datetime | None,
) -> Plan | None:
    """Plan for the always-valid test, over variants and over the goal and all guardrails with a margin.

    A guardrail is planned as if it lost nothing. None before anything can be compared.
    """
    needed = [
        users_needed(design, arm, one)
        for arm, of_arm in enumerate(measured, 1)
        for one in of_arm
        if design.arms[arm].weight > 0
        and one.comparison.role is not Role.SECONDARY
        and one.comparison.margin != 0
    ]
    if not needed:
        return None
    users = min(max(needed), _MOST)
    least = min(arm.weight for arm in design.arms if arm.weight > 0)
    return Plan(
        effect=design.effect,
        power=design.power,
        users_needed=math.ceil(users * least),
        days_left=days(users - len(first_exposed), _daily(first_exposed, as_of, started_at)),
    )


def users_needed(design: ExperimentDesign, arm: int, one: Measured) -> float:
    """Return the users of all variants of which the control's and an arm's are enough for a metric."""
    pair, margin = one.pair, one.comparison.margin
    found = total_users(
        pair.error**2 * pair.users,
        (design.effect if margin is None else margin) * pair.control,
        alpha=design.alpha / design.compared,
        power=design.power,
        tuning_users=design.tuning_users,
    )
    share = design.arms[0].weight + design.arms[arm].weight
    return found / share if share > 0 else math.inf


def _daily(first_exposed: NDArray[np.int64], as_of: datetime, started_at: datetime | None) -> float:
    since = max(as_of - LATELY, started_at or as_of - LATELY)
    span = (as_of - since) / timedelta(days=1)
    return int((first_exposed >= since.timestamp()).sum()) / span if span > 0 else 0.0
