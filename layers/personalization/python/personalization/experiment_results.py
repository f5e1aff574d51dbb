"""The results of an experiment as they are stored, answered and drawn: one document of plain numbers.

`training.experimentation` writes it; the API, the command, the dashboard's widget and the console read it.
"""

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from personalization.errors import CorruptData


class Decision(StrEnum):
    """What to do with an experiment."""

    SHIP = "ship"
    """A variant is better than the control, and harms no guardrail."""
    KEEP_RUNNING = "keep_running"
    """Not decided yet."""
    STOP_HARMFUL = "stop_harmful"
    """A variant is worse than the control, or harms a guardrail."""
    STOP_FUTILE = "stop_futile"
    """The planned sample is there and shows no difference that was looked for."""
    BROKEN = "broken"
    """Users are not split as configured (sample ratio mismatch): no figure can be trusted."""


class Role(StrEnum):
    """What a metric is to an experiment."""

    GOAL = "goal"
    GUARDRAIL = "guardrail"
    SECONDARY = "secondary"


class Comparison(Struct, frozen=True, kw_only=True):
    """One metric of one variant against the control.

    Attributes
    ----------
    method
        Names the formula, as "delta method with CUPED, mixture sequential test".
    control, value
        Mean of the metric in the control and in the variant, in `unit`.
    lift
        (value - control) / control; None where the control's mean is 0.
    interval
        95% interval of the lift at this one look.
    always_valid
        Interval of the lift that holds over all looks together.
    p_value, adjusted_p_value
        Two-sided, of this one look; adjusted for the number of variants.
    always_valid_p_value
        Stays valid however often one looks.
    margin
        Of a guardrail: the relative loss that is still accepted.
    harmed
        Of a guardrail: the variant is certainly worse than the margin allows.
    """

    metric: str
    role: Role
    unit: str
    method: str
    control: float
    value: float
    lift: float | None = None
    interval: tuple[float, float] | None = None
    always_valid: tuple[float, float] | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    always_valid_p_value: float | None = None
    margin: float | None = None
    harmed: bool = False


class VariantResults(Struct, frozen=True, kw_only=True):
    """One variant: what its users saw and did, and how it compares; the control has no comparisons.

    Attributes
    ----------
    ctr_interval
        95% interval of the click-through rate, users being the unit.
    """

    name: str
    weight: float
    users: int
    impressions: int
    clicks: int
    conversions: int
    revenue: float
    dwell_seconds: float
    ctr: float | None
    ctr_interval: tuple[float, float] | None
    comparisons: tuple[Comparison, ...] = ()


class SampleRatio(Struct, frozen=True, kw_only=True):
    """Whether the users were split as configured.

    Attributes
    ----------
    p_value
        Chi-squared, at this one look.
    always_valid_p_value
        Sequential (multinomial mixture), valid over all looks.
    """

    expected: tuple[float, ...]
    observed: tuple[int, ...]
    p_value: float
    always_valid_p_value: float
    mismatch: bool


class Look(Struct, frozen=True, kw_only=True):
    """The goal of one variant as it stood at one analysis: a point of the curve over time."""

    at: datetime
    variant: str
    users: int
    lift: float | None
    always_valid: tuple[float, float] | None


class Plan(Struct, frozen=True, kw_only=True):
    """How long it takes to see the effect that is looked for.

    Attributes
    ----------
    effect
        Relative lift to detect.
    users_needed
        Of each variant.
    days_left
        At the traffic of the last days; None while there is none.
    """

    effect: float
    power: float
    users_needed: int
    days_left: float | None


class ExperimentResults(Struct, frozen=True, kw_only=True):
    """The analysis of one experiment at one time.

    Attributes
    ----------
    started_at
        First exposure counted.
    crossed_over
        Users seen in more than one variant; they are left out.
    verdict
        One sentence for people: what to do, and why.
    looks
        Earlier analyses and this one, one a day at most, oldest first.
    """

    experiment: str
    surface: str
    as_of: datetime
    started_at: datetime | None
    users: int
    crossed_over: int
    decision: Decision
    verdict: str
    variants: tuple[VariantResults, ...]
    sample_ratio: SampleRatio | None = None
    plan: Plan | None = None
    looks: tuple[Look, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExperimentResults)


def encode_results(results: ExperimentResults) -> bytes:
    """Serialize results as JSON; equal results give equal bytes."""
    return _encoder.encode(results)


def decode_results(data: bytes) -> ExperimentResults:
    """Read what `encode_results` wrote.

    Raises
    ------
    CorruptData
        Not results.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(str(error)) from None
