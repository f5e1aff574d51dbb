"""What each user of an experiment saw and did since first exposed: the table all statistics start from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class UserTotals:
    """One row a user (or session, where that is the unit), in any order; all columns of one length.

    Memory: 90 bytes a user.

    Attributes
    ----------
    variant
        Index into the experiment's variants.
    first_exposed
        Seconds since 1970.
    stratum
        Which stratum the user is of; all 0 where there is one.
    impressions, clicks, conversions, revenue, dwell_seconds
        Attributed through the signed receipt: items shown, clicks on them, purchases of them, what these
        brought in, and seconds spent on them.
    clicks_before, impressions_before, revenue_before, dwell_before
        The same of the days before the experiment, whatever was attributed then: covariates.
    """

    variant: NDArray[np.int16]
    first_exposed: NDArray[np.int64]
    stratum: NDArray[np.int16]
    impressions: NDArray[np.float64]
    clicks: NDArray[np.float64]
    conversions: NDArray[np.float64]
    revenue: NDArray[np.float64]
    dwell_seconds: NDArray[np.float64]
    clicks_before: NDArray[np.float64]
    impressions_before: NDArray[np.float64]
    revenue_before: NDArray[np.float64]
    dwell_before: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.variant)
