"""Predicted against observed click-through, by model version.

A LambdaRank score orders and is no probability, and events tell an item's place, not its score. So what is
predicted is the click-through rate of each place in a list: an isotonic fit, falling from the first place on,
of what earlier days showed (pool adjacent violators, weighted by impressions; Barlow et al., 1972). Each
version of the newest day is held against it: one that draws fewer clicks than its places would is worse than
those before.

A slate that is shown again counts again, and receipts are read without their signature, as the key is not at
hand: what is found is reported and decides nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from training.statistics import Day, Exposure

Doubles = npt.NDArray[np.float64]


CALIBRATION_FILE: Final = "calibration.json"


class Calibration(msgspec.Struct, frozen=True):
    """One model version on one day.

    Attributes
    ----------
    expected, observed
        Click-through rates, of the places it showed items at and of what came of it.
    calibration_error
        Mean of |observed - expected| by place, weighted by impressions (ECE; Naeini et al., 2015).
    brier
        Mean squared difference of click, 0 or 1, and expected rate.
    """

    version: str
    day: date
    impressions: int
    clicks: int
    expected: float
    observed: float
    calibration_error: float
    brier: float


def calibrate(days: Mapping[date, Day], *, before: date) -> tuple[Calibration, ...]:
    """Hold the versions of the newest day, before a date, against all days earlier than that.

    Empty without such days, or where nothing was shown. Cost: linear in the days, versions and places.
    """
    shown = sorted(day for day, counts in days.items() if day < before and counts.shown)
    if len(shown) < 2:
        return ()
    earlier = _pooled(exposure for day in shown[:-1] for exposure in days[day].shown.values())
    rates = position_rates(earlier)
    newest = shown[-1]
    return tuple(
        _against(version, newest, exposure, rates) for version, exposure in sorted(days[newest].shown.items())
    )


def read_calibrations(folder: Path) -> tuple[Calibration, ...]:
    """Read what *prepare* left beside a dataset; empty for one without."""
    path = folder / CALIBRATION_FILE
    return msgspec.json.decode(path.read_bytes(), type=tuple[Calibration, ...]) if path.exists() else ()


def position_rates(pooled: Exposure) -> Doubles:
    """Return the click-through rate of each place (p,), never rising; places not shown take the one before.

    >>> position_rates(Exposure([100, 100, 100], [10, 2, 6])).round(2).tolist()
    [0.1, 0.04, 0.04]
    """
    impressions = np.array(pooled.impressions, dtype=float)
    clicks = np.minimum(np.array(pooled.clicks, dtype=float), impressions)
    places = np.flatnonzero(impressions)
    if not len(places):
        return np.zeros(1)
    fit = isotonic_regression(
        clicks[places] / impressions[places], weights=impressions[places], increasing=False
    ).x
    last_shown = np.searchsorted(places, np.arange(len(impressions)), side="right") - 1
    rates: Doubles = fit[np.maximum(last_shown, 0)]
    return rates


def _pooled(exposures: Iterable[Exposure]) -> Exposure:
    total = Exposure()
    for exposure in exposures:
        total.add(exposure)
    return total


def _against(version: str, day: date, exposure: Exposure, rates: Doubles) -> Calibration:
    shown = np.array(exposure.impressions, dtype=float)
    clicks = np.minimum(np.array(exposure.clicks, dtype=float), shown)
    expected = rates[np.minimum(np.arange(len(shown)), len(rates) - 1)]
    total = max(float(shown.sum()), 1.0)
    error = np.abs(clicks - shown * expected).sum() / total
    brier = (clicks * (1 - expected) ** 2 + (shown - clicks) * expected**2).sum() / total
    return Calibration(
        version=version,
        day=day,
        impressions=int(shown.sum()),
        clicks=int(clicks.sum()),
        expected=round(float((shown * expected).sum() / total), 6),
        observed=round(float(clicks.sum() / total), 6),
        calibration_error=round(float(error), 6),
        brier=round(float(brier), 6),
    )
