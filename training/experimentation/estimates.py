"""One metric of a variant and of the control: means and how sure they are, users being the unit.

Formulas
--------
Ratio of means R = mean(y) / mean(x), delta method: each user counts as (y - R x) / mean(x)
(Deng, Knoblich and Lu, 2018, "Applying the delta method in metric analytics").

Post-stratification: means are sums over strata, weighted by the strata's shares of all users (Miratrix,
Sekhon and Yu, 2013, "Adjusting treatment effect estimates by post-stratification in randomized experiments").

CUPED with several covariates: R less theta times the difference of the covariates' means; theta minimizes
the variance of what is compared (Deng, Xu, Kohavi and Walker, 2013, "Improving the sensitivity of online
controlled experiments by utilizing pre-experiment data"). Covariates of a ratio are its parts before the
experiment, so nobody need have any.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from training.experimentation.metrics import Doubles
from training.experimentation.moments import Moments

LEAST_OF_A_STRATUM: Final = 20
"""Users that both variants must have in a stratum; smaller strata are taken together."""
_COLLINEAR: Final = 1e-9
_CONSTANT: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Pair:
    """Two means that are compared.

    Attributes
    ----------
    control, value
        Adjusted for strata and covariates.
    covariance
        (2, 2) of the two, control first.
    users
        Of both together.
    freedom
        Degrees of freedom of their difference (Welch and Satterthwaite).
    """

    control: float
    value: float
    covariance: Doubles
    users: int
    freedom: float

    @property
    def difference(self) -> float:
        """Value less control."""
        return self.value - self.control

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        (control, both), (_, value) = self.covariance.tolist()
        return math.sqrt(max(control + value - 2 * both, 0.0))


def compare(moments: Moments, arm: int) -> Pair | None:
    """Estimate an arm and the control, arm 0; None where either has under two users or nothing to divide by.

    Both means move by CUPED towards what they would be had both arms had the same covariates. That strata's
    weights and the covariates' common mean are estimated too is counted. Cost: in strata and columns only.

    >>> from training.experimentation.moments import moments
    >>> shown, clicks = np.array([10.0, 20, 10, 20, 10, 20]), np.array([1.0, 2, 1, 1, 3, 5])
    >>> arms, whole = np.array([0, 0, 0, 1, 1, 1], np.int16), np.zeros(6, np.int16)
    >>> pair = compare(moments([clicks, shown], np.full(2, np.inf), arms, whole, arms=2, strata=1), 1)
    >>> pair.control, round(pair.value, 2), round(pair.error, 3)
    (0.1, 0.18, 0.078)
    """
    both = _of_enough_users(moments, arm)
    if both is None:
        return None
    users, means = both.users, both.means()
    share = users.sum(axis=0) / users.sum()
    mean = np.einsum("s,asc->ac", share, means)
    spread = np.einsum("s,ascd->acd", share**2, both.covariances() / users[..., None, None])
    if min(mean[0, 1], mean[1, 1]) <= 0:
        return None
    ratio = mean[:, 0] / mean[:, 1]
    gradient = np.stack([1 / mean[:, 1], -ratio / mean[:, 1]], axis=1)
    theta = _theta(spread, gradient, _CONSTANT * both.pivot[2:] ** 2 / users.sum())
    of_control, of_value = users.sum(axis=1) / users.sum()
    moved = float(theta @ (mean[1, 2:] - mean[0, 2:]))
    slopes = np.zeros((2, 2, mean.shape[1]))
    slopes[0, 0, :2], slopes[1, 1, :2] = gradient
    slopes[0, :, 2:] = np.outer([-of_value, of_control], theta)
    slopes[1, :, 2:] = np.outer([of_value, -of_control], theta)
    return Pair(
        control=float(ratio[0] + of_value * moved),
        value=float(ratio[1] - of_control * moved),
        covariance=_covariance(slopes, spread, means, share, int(users.sum())),
        users=int(users.sum()),
        freedom=_freedom(slopes, spread, users.sum(axis=1)),
    )


def _of_enough_users(moments: Moments, arm: int) -> Moments | None:
    """Take control and arm; small strata merge into one, and that one, if still small, into the largest."""
    chosen = [0, arm]
    both = Moments(moments.users[chosen], moments.sums[chosen], moments.products[chosen], moments.pivot)
    if both.users.sum(axis=1).min() < 2:
        return None
    fewest = both.users.min(axis=0)
    large = fewest >= LEAST_OF_A_STRATUM
    if large.all() or len(fewest) == 1:
        return both
    rest = both.users[:, ~large].sum(axis=1).min()
    labels = np.where(large, np.cumsum(large) - 1, large.sum())
    if rest < LEAST_OF_A_STRATUM and large.any():
        labels[~large] = labels[np.argmax(np.where(large, fewest, 0))]
    return both.merged(labels)


def _theta(spread: Doubles, gradient: Doubles, negligible: Doubles) -> Doubles:
    """Solve for theta (covariates,): regression of the linearized metric on what was before.

    Covariates whose variance is `negligible`, no more than rounding leaves of a constant, get 0.
    """
    inner = spread[:, 2:, 2:].sum(axis=0)
    outer = np.einsum("acd,ad->c", spread[:, 2:, :2], gradient)
    vary = np.flatnonzero(np.diag(inner) > negligible)
    scale = np.sqrt(np.diag(inner)[vary])
    correlation = inner[np.ix_(vary, vary)] / np.outer(scale, scale)
    theta = np.zeros(len(outer))
    theta[vary] = (
        np.linalg.pinv(correlation, rcond=_COLLINEAR, hermitian=True) @ (outer[vary] / scale) / scale
    )
    return theta


def _covariance(slopes: Doubles, spread: Doubles, means: Doubles, share: Doubles, users: int) -> Doubles:
    within = np.einsum("apc,acd,aqd->pq", slopes, spread, slopes)
    of_strata = np.einsum("apc,asc->sp", slopes, means)
    about = of_strata - share @ of_strata
    between = np.einsum("s,sp,sq->pq", share, about, about) / users
    covariance: Doubles = within + between
    return covariance


def _freedom(slopes: Doubles, spread: Doubles, users: NDArray[np.int64]) -> float:
    """Welch-Satterthwaite, of the part of each arm in the variance of the difference."""
    contrast = slopes[:, 1] - slopes[:, 0]
    parts = np.maximum(np.einsum("ac,acd,ad->a", contrast, spread, contrast), 0.0)
    total = float((parts**2 / (users - 1)).sum())
    return float(parts.sum() ** 2 / total) if total > 0 else float(users.sum() - 2)


def ratio_interval(moments: Moments, arm: int, alpha: float) -> tuple[float, float] | None:
    """Return one arm's own interval of its ratio at one look, by the delta method, not below 0 if it is not.

    None with fewer than two users or nothing to divide by.
    """
    whole = moments.merged(np.zeros(moments.users.shape[1], np.intp))
    users, mean = int(whole.users[arm, 0]), whole.means()[arm, 0]
    if users < 2 or mean[1] <= 0:
        return None
    ratio = float(mean[0] / mean[1])
    gradient = np.array([1.0, -ratio]) / mean[1]
    error = math.sqrt(max(float(gradient @ whole.covariances()[arm, 0, :2, :2] @ gradient), 0.0) / users)
    width = float(special.stdtrit(users - 1, 1 - alpha / 2)) * error
    return (max(ratio - width, 0.0) if ratio >= 0 else ratio - width), ratio + width
