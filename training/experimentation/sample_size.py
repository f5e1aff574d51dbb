"""How many users an experiment needs, and how many days that takes.

Widths as in `lifts`: a test finds an effect as often as `power` says once the effect is as many standard
errors as `width` and the power's quantile together.
"""

import math
from enum import StrEnum
from typing import Final

from scipy import optimize, special

from training.experimentation.sequential import boundary

_RANGE: Final = (math.log(1e-6), math.log(1e18))
"""Of the search for a number of users, on a log scale."""


class Formula(StrEnum):
    """The formulas for two proportions; they agree within a few users in a thousand."""

    ARCSINE = "arcsine"
    """Cohen's h, both tails, as statsmodels' `NormalIndPower` solves it."""
    UNPOOLED = "unpooled"
    """Each variant's own variance, as for every other metric here: what `plan` uses."""
    POOLED = "pooled"
    """The pooled variance where there is no effect (Fleiss, Levin and Paik, 2003)."""


def quantile(share: float) -> float:
    """Return the normal quantile."""
    return float(special.ndtri(share))


def proportion_users(
    control: float,
    value: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    formula: Formula = Formula.UNPOOLED,
) -> float:
    """Return the users of each of two variants, not rounded.

    >>> [round(proportion_users(0.05, 0.055, formula=formula)) for formula in Formula]
    [31217, 31231, 31233]
    """
    width, reach = quantile(1 - alpha / 2), quantile(power)
    of_both = control * (1 - control) + value * (1 - value)
    if formula is Formula.ARCSINE:
        return _cohen(2 * (math.asin(math.sqrt(value)) - math.asin(math.sqrt(control))), width, power)
    if control == value:
        return math.inf
    if formula is Formula.POOLED:
        middle = (control + value) / 2
        spread = width * math.sqrt(2 * middle * (1 - middle)) + reach * math.sqrt(of_both)
        return (spread / (value - control)) ** 2
    return of_both * ((width + reach) / (value - control)) ** 2


def _cohen(effect: float, width: float, power: float) -> float:
    if effect == 0:
        return math.inf

    def lacking(log_users: float) -> float:
        z = abs(effect) * math.sqrt(math.exp(log_users) / 2)
        return float(special.ndtr(z - width) + special.ndtr(-z - width)) - power

    return math.exp(optimize.brentq(lacking, *_RANGE, xtol=1e-14))


def proportion_power(control: float, value: float, users: float, *, alpha: float = 0.05) -> float:
    """Return the power of the pooled z-test with so many users of each of two variants, both tails.

    >>> round(proportion_power(0.05, 0.055, 31_234), 4)
    0.8
    """
    middle = (control + value) / 2
    width = quantile(1 - alpha / 2) * math.sqrt(2 * middle * (1 - middle))
    shift = abs(value - control) * math.sqrt(users)
    spread = math.sqrt(control * (1 - control) + value * (1 - value))
    return float(special.ndtr((shift - width) / spread) + special.ndtr((-shift - width) / spread))


def total_users(
    spread: float, effect: float, *, alpha: float = 0.05, power: float = 0.8, tuning_users: int | None = None
) -> float:
    """Return the users of both variants together that find an absolute effect, not rounded.

    Parameters
    ----------
    spread
        Variance of the difference times the users of both: of two variants with shares s and variances v by
        user, the sum of v / s. Of a ratio metric, v is the linearized user's (`estimates`), and CUPED's and
        strata's gain is in it when it comes from data: the squared `error` of a `Pair` times its `users`.
    tuning_users
        Of the always-valid test, for its power at a single last look: it may end earlier, and finds a little
        more. None is the test at one look.

    >>> round(total_users(2 * (0.05 * 0.95 + 0.055 * 0.945), 0.005) / 2)
    31231
    >>> round(total_users(2 * (0.05 * 0.95 + 0.055 * 0.945), 0.005, tuning_users=5_000) / 2)
    71121
    """
    if effect == 0 or spread <= 0:
        return math.inf if effect == 0 else 0.0
    reach = quantile(power)
    if tuning_users is None:
        return spread * ((quantile(1 - alpha / 2) + reach) / effect) ** 2

    def lacking(log_users: float) -> float:
        users = math.exp(log_users)
        return (boundary(users, alpha, tuning_users) + reach) * math.sqrt(spread / users) - abs(effect)

    if lacking(_RANGE[1]) > 0:
        return math.inf
    return math.exp(optimize.brentq(lacking, *_RANGE)) if lacking(_RANGE[0]) > 0 else 0.0


def days(users: float, daily_users: float) -> float | None:
    """Return the days until so many have come; None where nobody comes, or never will enough.

    >>> days(10_000, 400)
    25.0
    """
    if users <= 0:
        return 0.0
    return users / daily_users if daily_users > 0 and math.isfinite(users) else None
