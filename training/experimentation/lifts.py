"""Tests and intervals of one comparison: the difference, and the relative lift.

A width is how many standard errors an interval reaches to each side: a quantile at one look, `boundary` over
all.
"""

import math
from typing import Final

from scipy import special

from training.experimentation.estimates import Pair

Interval = tuple[float, float]
_ROUNDING: Final = 1e-6


def width_at_one_look(pair: Pair, alpha: float) -> float:
    """Return the two-sided quantile of Student's t with Welch's degrees of freedom."""
    return float(special.stdtrit(pair.freedom, 1 - alpha / 2))


def standard_errors(pair: Pair) -> float:
    """Return the difference in standard errors; 0 where neither arm varies and they are alike."""
    if pair.error == 0:
        return math.copysign(math.inf, pair.difference) if pair.difference else 0.0
    return pair.difference / pair.error


def p_value(z: float, freedom: float) -> float:
    """Return the two-sided p-value of Welch's test.

    >>> round(p_value(1.96, 1e9), 4)
    0.05
    """
    return float(2 * special.stdtr(freedom, -abs(z)))


def difference_interval(pair: Pair, width: float) -> Interval:
    """Return the interval of value - control."""
    return pair.difference - width * pair.error, pair.difference + width * pair.error


def lift(pair: Pair) -> float | None:
    """Return (value - control) / control; None unless the control is above 0, by more than rounding."""
    return pair.difference / pair.control if _is_positive(pair) else None


def lift_interval(pair: Pair, width: float) -> Interval | None:
    """Return the lifts that the test of the difference does not reject (Fieller, 1954).

    These are all r - 1 for which value - r control lies within `width` of its standard errors, so 0 is left
    out exactly when the difference is significant. The delta method's interval of the lift has no such tie:
    at a lift of a third it needs a third more users (decision 0055). None where the control could be 0.

    >>> import numpy as np
    >>> pair = Pair(0.10, 0.12, np.diag([0.004**2, 0.004**2]), 20_000, 19_998.0)
    >>> [round(end, 3) for end in lift_interval(pair, 1.96)]
    [0.084, 0.33]
    """
    (control, both), (_, value) = (pair.covariance * width**2).tolist()
    a, b, c = pair.control**2 - control, pair.control * pair.value - both, pair.value**2 - value
    if not _is_positive(pair) or a <= 0:
        return None
    root = math.sqrt(max(b * b - a * c, 0.0))
    return (b - root) / a - 1, (b + root) / a - 1


def _is_positive(pair: Pair) -> bool:
    return pair.control > _ROUNDING * abs(pair.value)


def lift_error(pair: Pair) -> float:
    """Return the standard error of the lift by the delta method (Deng, Knoblich and Lu, 2018).

    GrowthBook's intervals of relative lifts are made of it.

    >>> import numpy as np
    >>> round(lift_error(Pair(0.08, 0.1, np.diag([2.944e-5, 3.6e-5]), 5_000, 4_970.0)), 6)
    0.113192
    """
    (control, both), (_, value) = pair.covariance.tolist()
    variance = value - 2 * pair.value / pair.control * both + (pair.value / pair.control) ** 2 * control
    return math.sqrt(max(variance, 0.0)) / abs(pair.control)
