"""Always-valid inference: intervals and p-values that hold at all looks together, however often one looks.

Asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021, arXiv 2103.06476), as
GrowthBook uses it: a mixture sequential probability ratio test, whose Gaussian mixture has the precision that
makes the interval tightest at a chosen number of users, the tuning parameter.

The clock of the test is the number of users of both variants. The theory takes each user once; here a user's
totals still grow after they have come, which `training.experimentation.simulate` tries: its users return, and
in one of its trials all are there on the first day.
"""

import math


def mixture_precision(alpha: float, tuning_users: int) -> float:
    """Return rho, with which the two-sided interval of level 1 - alpha is tightest at `tuning_users`.

    >>> round(mixture_precision(0.05, 5000), 6)
    0.03984
    """
    least = -2 * math.log(alpha)
    return math.sqrt((least + math.log(least + 1)) / tuning_users)


def boundary(users: float, alpha: float, tuning_users: int) -> float:
    """Return how many standard errors the always-valid interval reaches to each side (one look's: 1.96).

    >>> [round(boundary(users, 0.05, 5000), 2) for users in (500, 5_000, 50_000, 500_000)]
    [3.86, 3.04, 3.24, 3.56]
    """
    time = users * mixture_precision(alpha, tuning_users) ** 2
    return math.sqrt(2 * (time + 1) / time * (math.log(time + 1) / 2 - math.log(alpha)))


def always_valid_p_value(z: float, users: int, alpha: float, tuning_users: int) -> float:
    """Return the p-value of a difference of z standard errors: 1 by the mixture's likelihood ratio.

    It is at most alpha exactly when the interval of `boundary` leaves out 0.

    >>> round(always_valid_p_value(boundary(700, 0.05, 5000), 700, 0.05, 5000), 12)
    0.05
    """
    time = users * mixture_precision(alpha, tuning_users) ** 2
    return math.exp(min(0.0, math.log(time + 1) / 2 - time * z**2 / (2 * (time + 1))))
