"""What to do with an experiment, by fixed rules, in one sentence.

Rules, in this order; "known" is by the always-valid intervals, so they may be asked at every look:

1. Broken: the sequential test of the split gives a p-value below `MISMATCH`.
2. Keep running while a variant has fewer than `FEWEST` users: intervals rest on the central limit theorem.
3. Ship the variant with the highest lift among those whose goal is known to be better and which are known to
   lose no more than the margin in any guardrail.
4. Stop, harmful: a variant's goal is known to be worse, or a guardrail to lose more than its margin.
   Guardrails are not corrected for their number: a variant without any effect seems to lose more than a
   positive margin in far fewer than alpha / 2 of the experiments.
5. Stop, futile: for every variant the users that its goal needs by plan are there, the goal's lift may
   still be 0, and the one-look interval lies below the effect that was looked for.
6. Keep running else.

That all guardrails must pass needs no correction of alpha (Schultzberg, Ankargren and Frånberg, 2024,
"Risk-aware product decisions in A/B tests with multiple metrics").
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from personalization.experiment_results import (
    Comparison,
    Decision,
    Plan,
    Role,
    SampleRatio,
    VariantResults,
)
from training.experimentation.design import ExperimentDesign
from training.experimentation.metrics import METRICS

FEWEST: Final = 100
"""Users of a variant before anything is decided."""


class Standing(StrEnum):
    """What is known of one variant."""

    BETTER = "better"
    HARMFUL = "harmful"
    FUTILE = "futile"
    OPEN = "open"


def judge(
    design: ExperimentDesign,
    variants: Sequence[VariantResults],
    ratio: SampleRatio,
    plan: Plan | None,
    planned: Sequence[bool],
) -> tuple[Decision, str]:
    """Decide by the rules above.

    Parameters
    ----------
    variants
        The control first; those that nobody should get decide nothing.
    planned
        Whether the users planned for the goal are there, by variant, from the second on.
    """
    users = sum(variant.users for variant in variants)
    if ratio.mismatch:
        return Decision.BROKEN, _broken(design, ratio)
    live = [(v, enough) for v, enough in zip(variants[1:], planned, strict=True) if v.weight > 0]
    if min(v.users for v in (variants[0], *(v for v, _ in live))) < FEWEST or not all(
        goal_of(v) for v, _ in live
    ):
        return Decision.KEEP_RUNNING, f"Keep running: too early to tell, {users:,} users."
    standings: dict[Standing, list[VariantResults]] = {standing: [] for standing in Standing}
    for variant, enough in live:
        standings[_standing(design, variant, enough)].append(variant)
    if better := standings[Standing.BETTER]:
        return Decision.SHIP, _ship(design, max(better, key=_lift), users)
    if harmful := standings[Standing.HARMFUL]:
        return Decision.STOP_HARMFUL, _harmful(design, min(harmful, key=_lift), users)
    if not standings[Standing.OPEN]:
        return Decision.STOP_FUTILE, _futile(design, standings[Standing.FUTILE], users)
    return Decision.KEEP_RUNNING, _open(design, max(standings[Standing.OPEN], key=_lift), users, plan)


def goal_of(variant: VariantResults) -> Comparison | None:
    """Return the comparison that decides; None before there is any."""
    return next((one for one in variant.comparisons if one.role is Role.GOAL), None)


def _lift(variant: VariantResults) -> float:
    goal = goal_of(variant)
    return goal.lift or 0.0 if goal else 0.0


def _standing(design: ExperimentDesign, variant: VariantResults, enough: bool) -> Standing:
    goal = goal_of(variant)
    if any(one.harmed for one in variant.comparisons):
        return Standing.HARMFUL
    if goal is None or goal.always_valid is None or goal.interval is None:
        return Standing.OPEN
    low, high = goal.always_valid
    if high < 0:
        return Standing.HARMFUL
    if low > 0:
        return Standing.OPEN if _unproven(variant) else Standing.BETTER
    return Standing.FUTILE if enough and goal.interval[1] < design.effect else Standing.OPEN


def _unproven(variant: VariantResults) -> list[Comparison]:
    """Guardrails not yet known to lose less than their margin."""
    return [
        one
        for one in variant.comparisons
        if one.role is Role.GUARDRAIL
        and (one.always_valid is None or one.always_valid[0] <= -(one.margin or 0.0))
    ]


def _broken(design: ExperimentDesign, ratio: SampleRatio) -> str:
    observed = ", ".join(
        f"{arm.name} {users:,}" for arm, users in zip(design.arms, ratio.observed, strict=True)
    )
    configured = " / ".join(f"{share:.1%}" for share in ratio.expected)
    return (
        f"Broken: users are split {observed} where {configured} was configured (sequential p = "
        f"{ratio.always_valid_p_value:.1g}); trust no figure, find which device, country or day differs, and "
        "start anew under another name."
    )


def _ship(design: ExperimentDesign, variant: VariantResults, users: int) -> str:
    guarded = ", no guardrail harmed" if design.guardrails else ""
    return f"Ship {variant.name}: {_words(design, goal_of(variant))}{guarded}, {users:,} users."


def _harmful(design: ExperimentDesign, variant: VariantResults, users: int) -> str:
    worst = next((one for one in variant.comparisons if one.harmed), goal_of(variant))
    accepted = (
        f" where a loss of {worst.margin:.1%} is accepted" if worst and worst.margin is not None else ""
    )
    return f"Stop {variant.name}, it is harmful: {_words(design, worst)}{accepted}, {users:,} users."


def _futile(design: ExperimentDesign, variants: Sequence[VariantResults], users: int) -> str:
    each = "; ".join(f"{variant.name} {_words(design, goal_of(variant))}" for variant in variants)
    return (
        f"Stop, it makes no difference worth waiting for: {each}, where a lift of {design.effect:+.1%} was "
        f"looked for, {users:,} users."
    )


def _open(design: ExperimentDesign, variant: VariantResults, users: int, plan: Plan | None) -> str:
    goal = goal_of(variant)
    unproven = _unproven(variant) if goal and goal.always_valid and goal.always_valid[0] > 0 else []
    if unproven:
        why = (
            f"{variant.name} is better, {_words(design, goal)}, but is not yet known to lose less than "
            f"{unproven[0].margin:.1%} in {_words(design, unproven[0])}"
        )
    else:
        why = f"{variant.name} may still make no difference, {_words(design, goal)}"
    return f"Keep running: {why}, {users:,} users{_to_go(plan)}."


def _to_go(plan: Plan | None) -> str:
    if plan is None:
        return ""
    if plan.days_left is None:
        return f"; {plan.users_needed:,} of each variant are planned, and nobody new comes"
    if plan.days_left == 0:
        return f"; the {plan.users_needed:,} planned of each variant are there"
    return f"; {plan.users_needed:,} of each variant are planned, in about {plan.days_left:,.1f} days more"


def _words(design: ExperimentDesign, one: Comparison | None) -> str:
    """Say metric, lift and interval."""
    if one is None:
        return f"{METRICS[design.goal].label} unknown"
    label = METRICS[one.metric].label
    if one.lift is None or one.always_valid is None:
        return f"{label} {one.control:.4g} to {one.value:.4g} (too few for an interval)"
    low, high = one.always_valid
    return f"{label} {one.lift:+.1%} (always-valid {1 - design.alpha:.0%} interval {low:+.1%} to {high:+.1%})"
