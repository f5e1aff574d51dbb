"""Two proportions: clicks of impressions, buyers of users; for independent trials only.

Impressions of one user are not independent: over them, use `estimates`, with the user as the unit.
"""

import math
from dataclasses import dataclass

from scipy import special, stats

from personalization.errors import InvalidInput
from training.experimentation.lifts import Interval


@dataclass(frozen=True, slots=True)
class TwoProportions:
    """The difference of two proportions, by every usual method.

    Attributes
    ----------
    z_pooled, p_pooled
        With one variance of both, as it is if there is no difference; its square is chi-squared of the 2 x 2
        table without Yates' correction, with the same p-value.
    z_unpooled, p_unpooled
        With each one's own variance.
    wald
        Interval that goes with `p_unpooled`.
    newcombe
        Interval from Wilson's of each (Newcombe, 1998, method 10): the one to show, also at few successes.
    p_exact
        Fisher's exact test.
    """

    difference: float
    z_pooled: float
    p_pooled: float
    z_unpooled: float
    p_unpooled: float
    wald: Interval
    newcombe: Interval
    p_exact: float


def two_proportions(
    control: int, of_control: int, value: int, of_value: int, *, alpha: float = 0.05
) -> TwoProportions:
    """Compare value of `of_value` with control of `of_control`.

    Raises
    ------
    InvalidInput
        `invalid_proportion`: no trials, or successes that are not among them.

    >>> found = two_proportions(200, 2_500, 250, 2_500)
    >>> round(found.difference, 4), round(found.p_pooled, 6), [round(end, 5) for end in found.newcombe]
    (0.02, 0.01348, [0.00413, 0.03592])
    """
    for count, trials in ((control, of_control), (value, of_value)):
        if not 0 <= count <= trials or trials == 0:
            raise InvalidInput("invalid_proportion", f"{count} of {trials} is no proportion")
    first, second = control / of_control, value / of_value
    difference, pooled = second - first, (control + value) / (of_control + of_value)
    own = math.sqrt(first * (1 - first) / of_control + second * (1 - second) / of_value)
    width = float(special.ndtri(1 - alpha / 2))
    z_pooled = _z(difference, math.sqrt(pooled * (1 - pooled) * (1 / of_control + 1 / of_value)))
    z_unpooled = _z(difference, own)
    table = [[control, of_control - control], [value, of_value - value]]
    return TwoProportions(
        difference,
        z_pooled,
        float(2 * special.ndtr(-abs(z_pooled))),
        z_unpooled,
        float(2 * special.ndtr(-abs(z_unpooled))),
        (difference - width * own, difference + width * own),
        _newcombe((first, control, of_control), (second, value, of_value), alpha),
        float(stats.fisher_exact(table).pvalue),
    )


def wilson(count: int, trials: int, *, alpha: float = 0.05) -> Interval:
    """Return the score interval of a proportion (Wilson, 1927), which is never empty and within 0 and 1.

    >>> [round(end, 4) for end in wilson(0, 500)]
    [0.0, 0.0076]
    """
    found = stats.binomtest(count, trials).proportion_ci(1 - alpha, method="wilson")
    return float(found.low), float(found.high)


def _z(difference: float, error: float) -> float:
    if error == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / error


def _newcombe(control: tuple[float, int, int], value: tuple[float, int, int], alpha: float) -> Interval:
    (first, *trials), (second, *trials_of_value) = control, value
    low, high = wilson(*trials, alpha=alpha)
    low_of_value, high_of_value = wilson(*trials_of_value, alpha=alpha)
    return (
        second - first - math.hypot(second - low_of_value, high - first),
        second - first + math.hypot(high_of_value - second, first - low),
    )
