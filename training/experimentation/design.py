"""What the statistics need to know of an experiment: a plain value, whatever file defines the experiment."""

from dataclasses import dataclass
from typing import Final

from personalization.errors import InvalidInput
from training.experimentation.metrics import METRICS

_WEIGHT_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant: its name, and the share of the users who should get it."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that no variant may harm.

    Attributes
    ----------
    margin
        Relative loss that is still accepted, as 0.02; a variant is shipped once it is shown to lose less.
    """

    metric: str
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentDesign:
    """An experiment as it was planned; nothing in it may be chosen after a look at the results.

    Attributes
    ----------
    arms
        The control first.
    goal
        Name of the metric that decides, one of `METRICS`.
    effect
        Relative lift of the goal to detect.
    alpha
        How often all looks together may find a difference where there is none.
    power
        How often the effect should be found at the planned sample.
    strata
        How many strata users are of; see `UserTotals.stratum`.
    tuning_users
        Users at which the always-valid intervals are tightest, against the one-look interval there; the
        default is GrowthBook's. The expected size of the experiment is best, and ten times more or less
        costs little (`sequential.boundary`).

    Raises
    ------
    InvalidInput
        `invalid_design`, with what to change.
    """

    name: str
    surface: str
    arms: tuple[Arm, ...]
    goal: str = "ctr"
    guardrails: tuple[Guardrail, ...] = ()
    effect: float = 0.05
    alpha: float = 0.05
    power: float = 0.8
    strata: int = 1
    tuning_users: int = 5_000

    @property
    def compared(self) -> int:
        """How many variants are compared with the control: those that anybody should get."""
        return max(1, sum(arm.weight > 0 for arm in self.arms[1:]))

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        guarded = [guardrail.metric for guardrail in self.guardrails]
        unknown = sorted({self.goal, *guarded} - set(METRICS))
        margins = all(0 <= guardrail.margin < 1 for guardrail in self.guardrails)
        for holds, words in (
            (
                len(names) >= 2 and len(set(names)) == len(names),
                "needs two variants or more, each named once",
            ),
            (all(arm.weight >= 0 for arm in self.arms), "weights must be 0 or more"),
            (abs(sum(arm.weight for arm in self.arms) - 1) <= _WEIGHT_TOLERANCE, "weights must sum to 1"),
            (not unknown, f"unknown metrics {', '.join(unknown)}; there are {', '.join(METRICS)}"),
            (len({self.goal, *guarded}) == 1 + len(guarded), "goal and guardrails must be different metrics"),
            (margins, "margins are shares, 0 or more and below 1"),
            (self.effect > 0, "the effect to detect must be a positive relative lift, as 0.05"),
            (0 < self.alpha < 0.5 < self.power < 1, "alpha must be below 0.5 and power between 0.5 and 1"),
            (self.strata >= 1 and self.tuning_users >= 1, "strata and tuning_users must be 1 or more"),
        ):
            if not holds:
                raise InvalidInput("invalid_design", f"experiment {self.name}: {words}")
