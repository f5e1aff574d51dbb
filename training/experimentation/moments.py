"""Counts, sums and products of users' columns by variant and stratum: all that estimates need of the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.experimentation.metrics import WINSORIZED, Doubles, Metric
from training.experimentation.user_totals import UserTotals

_ROWS: Final = 1_000_000
"""Users at a time, so that a step's memory does not grow with the users."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Of c columns in a variants and s strata; adding up two gives those of all their users.

    Attributes
    ----------
    users
        (a, s) counts.
    sums, products
        (a, s, c) and (a, s, c, c), of the columns less `pivot`, which keeps the digits of the variance.
    pivot
        (c,), a number near each column's mean.
    """

    users: NDArray[np.int64]
    sums: Doubles
    products: Doubles
    pivot: Doubles

    def means(self) -> Doubles:
        """(a, s, c); NaN where there is no user."""
        with np.errstate(invalid="ignore"):
            return self.pivot + self.sums / self.users[..., None]

    def covariances(self) -> Doubles:
        """(a, s, c, c), unbiased; NaN where there are fewer than two users."""
        with np.errstate(invalid="ignore", divide="ignore"):
            means = self.sums / self.users[..., None]
            about = self.products - self.sums[..., :, None] * means[..., None, :]
            return about / (self.users - 1.0)[..., None, None]

    def merged(self, strata: NDArray[np.intp]) -> "Moments":
        """Merge strata into those that `strata` (s,) names, from 0 on."""
        of = np.eye(int(strata.max()) + 1)[strata]
        return Moments(
            np.rint(self.users @ of).astype(np.int64),
            np.einsum("asc,st->atc", self.sums, of),
            np.einsum("ascd,st->atcd", self.products, of),
            self.pivot,
        )


def metric_moments(users: UserTotals, metric: Metric, *, arms: int, strata: int) -> Moments:
    """Sum up a metric: columns are above, below (1 where it has none), and those before.

    Cost: linear in users, about 0.2 µs a user and metric; memory 16 bytes a user, above those of `users`,
    for what is cut or made of columns, and 60 MB.
    """
    above, before = metric.above(users), [column(users) for column in metric.before]
    below = metric.below(users) if metric.below else np.broadcast_to(np.float64(1.0), len(users))
    cut = metric.winsorized
    caps = [ceiling(above) if cut else np.inf, np.inf, *(ceiling(c) if cut else np.inf for c in before)]
    group = users.variant, users.stratum
    return moments([above, below, *before], np.array(caps), *group, arms=arms, strata=strata)


def ceiling(column: Doubles) -> float:
    """Return the quantile `WINSORIZED` of what is above 0, by linear interpolation; infinity if nothing is.

    >>> float(ceiling(np.array([0.0, 0.0, 1.0, 2.0, 3.0])))
    2.98
    """
    positive = column[column > 0]
    return float(np.quantile(positive, WINSORIZED, overwrite_input=True)) if len(positive) else np.inf


def moments(
    columns: Sequence[Doubles],
    caps: Doubles,
    variant: NDArray[np.int16],
    stratum: NDArray[np.int16],
    *,
    arms: int,
    strata: int,
) -> Moments:
    """Sum up columns (c of users,), each at most its cap, by variant and stratum."""
    width, groups = len(columns), arms * strata
    pivot = np.array(
        [min(float(c.mean()), cap) if len(c) else 0.0 for c, cap in zip(columns, caps, strict=True)]
    )
    users = np.zeros(groups, np.int64)
    sums, products = np.zeros((groups, width)), np.zeros((groups, width, width))
    for start in range(0, len(variant), _ROWS):
        rows = slice(start, start + _ROWS)
        group = variant[rows].astype(np.intp) * strata + stratum[rows]
        users += np.bincount(group, minlength=groups)
        block = [np.minimum(c[rows], cap) - p for c, cap, p in zip(columns, caps, pivot, strict=True)]
        for i, one in enumerate(block):
            sums[:, i] += np.bincount(group, one, groups)
            for j, other in enumerate(block[: i + 1]):
                products[:, i, j] += np.bincount(group, one * other, groups)
    products += np.tril(products, -1).transpose(0, 2, 1)
    shape = arms, strata
    return Moments(
        users.reshape(shape), sums.reshape(*shape, width), products.reshape(*shape, width, width), pivot
    )
