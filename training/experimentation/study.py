"""An experiment as its analysis goes about it: the design, and what of the lake is about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from personalization.experiments import Experiment, Unit
from personalization.tokens import TOKEN_LIFETIME
from training.experimentation.design import Arm, ExperimentDesign, Guardrail

COVARIATES: Final = timedelta(days=14)
"""So far before an experiment begins do users' acts explain what they do in it."""
_SETTLED: Final = TOKEN_LIFETIME + timedelta(days=1)
"""After its end, receipts stay valid for a week; a day more brings what was late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One experiment.

    Attributes
    ----------
    by_session
        Sessions are the unit, as events and exposures name them, rather than users.
    strata
        Names of the facts by which users are told apart; see `profiles.Facts`.
    starts_at
        What arrived in the `COVARIATES` before are covariates; None: there are none, and the first analysis
        reaches back as far as objects may be late.
    ends_at
        None: not planned.
    """

    design: ExperimentDesign
    by_session: bool = False
    strata: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.design.name

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the variants, the control first."""
        return tuple(arm.name for arm in self.design.arms)

    def has_begun(self, now: datetime) -> bool:
        """Whether there may be something to read."""
        return self.starts_at is None or self.starts_at <= now

    def is_settled(self, now: datetime) -> bool:
        """Whether nothing can be added any more: the next analysis is the last one."""
        return self.ends_at is not None and self.ends_at + _SETTLED <= now


def study_of(experiment: Experiment) -> Study:
    """Return an experiment as it is analyzed.

    Raises
    ------
    InvalidInput
        `invalid_design`: it can't be.
    """
    return Study(
        design=ExperimentDesign(
            name=experiment.name,
            surface=experiment.surface,
            arms=tuple(Arm(variant.name, variant.weight) for variant in experiment.variants),
            goal=experiment.goal,
            guardrails=tuple(Guardrail(one.metric, one.margin) for one in experiment.guardrails),
            effect=experiment.effect,
        ),
        by_session=experiment.unit is Unit.SESSION,
        strata=experiment.strata,
        starts_at=experiment.starts_at,
        ends_at=experiment.ends_at,
    )
