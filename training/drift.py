"""How far a distribution has moved: the population stability index (PSI).

PSI = sum over bins of (actual - expected) * ln(actual / expected), as shares; the symmetric Kullback-Leibler
divergence. Rule of thumb (Siddiqi, Credit Risk Scorecards, 2006): below 0.1 nothing to speak of, above 0.25 a
shift to act on. Few observations move it by chance alone: PSI / (1/n + 1/m) is about chi-squared with one
degree of freedom less than bins (Yurdakul and Naranjo, 2020), so what chance explains is let pass. There, n
and m are users, not events: those of one user hang together, and a single busy evening is no shift.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TENTHS: Final = 10
SHIFTED: Final = 0.1
DRIFTED: Final = 0.25
_SMOOTHING: Final = 0.5
"""Added to each bin: an empty one would make the index infinite (Jeffreys)."""
_CHANCE: Final = 0.001
"""Probability with which chance alone may exceed what is let pass."""


class Drift(msgspec.Struct, frozen=True):
    """How far one distribution moved.

    Attributes
    ----------
    limit
        `DRIFTED`, or what chance explains where that is more.
    moved
        The bin that contributes most.
    """

    psi: float
    limit: float
    expected: int
    actual: int
    moved: str

    @property
    def drifted(self) -> bool:
        """Whether it moved too far."""
        return self.psi > self.limit

    def __str__(self) -> str:
        """Tell what was found, for a person."""
        state = "drifted" if self.drifted else "shifted" if self.psi > SHIFTED else "stable"
        return (
            f"PSI {self.psi:.3f}, {state}; {self.limit:.3f} is let pass; {self.actual:,} against "
            f"{self.expected:,} before; most of it by {self.moved}"
        )


def psi(expected: Doubles, actual: Doubles) -> Doubles:
    """Return what each bin (b,) adds to the index, from counts.

    >>> round(float(psi(np.array([500.0, 500.0]), np.array([600.0, 400.0])).sum()), 3)
    0.04
    """
    was = (expected + _SMOOTHING) / (expected + _SMOOTHING).sum()
    is_ = (actual + _SMOOTHING) / (actual + _SMOOTHING).sum()
    parts: Doubles = (is_ - was) * np.log(is_ / was)
    return parts


def drift(expected: Mapping[str, int], actual: Mapping[str, int], users: tuple[int, int]) -> Drift:
    """Compare counts by value, of so many users before and now. Values that nobody has don't exist."""
    names = sorted(expected.keys() | actual.keys())
    if not sum(expected.values()) or not sum(actual.values()):
        return Drift(0.0, DRIFTED, sum(expected.values()), sum(actual.values()), "none")
    before, now = (
        np.array([counts.get(name, 0) for name in names], dtype=float) for counts in (expected, actual)
    )
    parts = psi(before, now)
    spread = sum(1 / max(count, 1) for count in users)
    chance = float(chi2.isf(_CHANCE, max(len(names) - 1, 1))) * spread
    moved = names[int(np.argmax(parts))]
    limit = max(DRIFTED, chance)
    return Drift(round(float(parts.sum()), 5), round(limit, 5), int(before.sum()), int(now.sum()), moved)


def drift_by_tenths(order: Doubles | Ints, expected: Ints, actual: Ints, users: tuple[int, int]) -> Drift:
    """Compare counts (n,) of items by tenths of what was expected, the first in `order` (n,) first.

    Items of which nothing was expected are in the last tenth.
    """
    first = np.argsort(-order, kind="stable")
    passed = np.cumsum(expected[first]) / max(int(expected.sum()), 1)
    tenth = np.empty(len(first), dtype=np.int64)
    tenth[first] = np.minimum((passed - 1e-9) * TENTHS, TENTHS - 1).astype(np.int64)
    before, now = (
        np.bincount(tenth, weights=counts, minlength=TENTHS).astype(np.int64).tolist()
        for counts in (expected, actual)
    )
    names = [f"tenth {number} by popularity" for number in range(1, TENTHS + 1)]
    rows = [row for row in zip(names, before, now, strict=True) if row[1] or row[2]]
    return drift({name: count for name, count, _ in rows}, {name: count for name, _, count in rows}, users)
