"""What to do with an experiment, by fixed rules, in one sentence.

Rules, in this order; "known" is by the always-valid intervals, so they may be asked at every look:

1. Broken: the sequential test of the split gives a p-value below `MISMATCH`.
2. Keep running while a variant has fewer than `FEWEST` users: intervals rest on the central limit theorem.
3. Ship the variant with the highest lift among those whose goal is known to be better and which are known to
   lose no more than the margin in any guardrail.
4. Stop, harmful: a variant's goal is known to be worse, or a guardrail to lose more than its margin.
   Guardrails are not corrected for their number: a variant without any effect seems to lose more than a
   positive margin in far fewer than alpha / 2 of the experiments.
5. Stop, futile: of every variant the planned users of the always-valid test are there, its goal's lift may
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
    design: ExperimentDesign, variants: Sequence[VariantResults], ratio: SampleRatio, plan: Plan | None
) -> tuple[Decision, str]:
    """Decide by the rules above; variants start with the control."""
    users = sum(variant.users for variant in variants)
    if ratio.mismatch:
        return Decision.BROKEN, _broken(design, ratio)
    if min(variant.users for variant in variants) < FEWEST or not all(v.comparisons for v in variants[1:]):
        return Decision.KEEP_RUNNING, f"Keep running: too early to tell, {users:,} users."
    standings = {variant.name: _standing(design, variant, plan) for variant in variants[1:]}
    of = {
        standing: [variant for variant in variants[1:] if standings[variant.name] is standing]
        for standing in Standing
    }
    if of[Standing.BETTER]:
        best = max(of[Standing.BETTER], key=lambda variant: _goal(variant).lift or 0.0)
        return Decision.SHIP, _ship(design, best, users)
    if of[Standing.HARMFUL]:
        return Decision.STOP_HARMFUL, _harmful(design, of[Standing.HARMFUL][0], users)
    if not of[Standing.OPEN]:
        return Decision.STOP_FUTILE, _futile(design, variants[1:], users)
    return Decision.KEEP_RUNNING, _open(design, of[Standing.OPEN], users, plan)


def _standing(design: ExperimentDesign, variant: VariantResults, plan: Plan | None) -> Standing:
    goal = _goal(variant)
    if goal.always_valid is None or goal.interval is None:
        return Standing.OPEN
    low, high = goal.always_valid
    if high < 0 or any(comparison.harmed for comparison in variant.comparisons):
        return Standing.HARMFUL
    if low > 0:
        return Standing.OPEN if _unproven(variant) else Standing.BETTER
    planned = plan is not None and variant.users >= plan.users_needed
    return Standing.FUTILE if planned and goal.interval[1] < design.effect else Standing.OPEN


def _goal(variant: VariantResults) -> Comparison:
    return variant.comparisons[0]


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
    return f"Ship {variant.name}: {_words(design, _goal(variant))}{guarded}, {users:,} users."


def _harmful(design: ExperimentDesign, variant: VariantResults, users: int) -> str:
    harmed = [one for one in variant.comparisons if one.harmed]
    worst = harmed[0] if harmed else _goal(variant)
    accepted = f" where a loss of {worst.margin:.1%} is accepted" if worst.margin is not None else ""
    return f"Stop {variant.name}, it is harmful: {_words(design, worst)}{accepted}, {users:,} users."


def _futile(design: ExperimentDesign, variants: Sequence[VariantResults], users: int) -> str:
    each = "; ".join(f"{variant.name} {_words(design, _goal(variant))}" for variant in variants)
    return (
        f"Stop, it makes no difference worth waiting for: {each}, where a lift of {design.effect:+.1%} was "
        f"looked for, {users:,} users."
    )


def _open(design: ExperimentDesign, variants: Sequence[VariantResults], users: int, plan: Plan | None) -> str:
    best = max(variants, key=lambda variant: _goal(variant).lift or 0.0)
    goal = _goal(best)
    unproven = _unproven(best) if goal.always_valid and goal.always_valid[0] > 0 else []
    if unproven:
        first = unproven[0]
        why = (
            f"{best.name} is better, {_words(design, goal)}, but is not yet known to lose less than "
            f"{first.margin:.1%} in {_words(design, first)}"
        )
    else:
        why = f"{best.name} may still make no difference, {_words(design, goal)}"
    return f"Keep running: {why}, {users:,} users{_to_go(plan)}."


def _to_go(plan: Plan | None) -> str:
    if plan is None:
        return ""
    if plan.days_left is None:
        return f"; {plan.users_needed:,} of each variant are planned, and nobody new comes"
    if plan.days_left == 0:
        return f"; the {plan.users_needed:,} planned of each variant are there"
    return f"; {plan.users_needed:,} of each variant are planned, in about {plan.days_left:,.1f} days more"


def _words(design: ExperimentDesign, one: Comparison) -> str:
    """Say metric, lift and interval."""
    label = METRICS[one.metric].label
    if one.lift is None or one.always_valid is None:
        return f"{label} {one.control:.4g} to {one.value:.4g} (too few for an interval)"
    low, high = one.always_valid
    return f"{label} {one.lift:+.1%} (always-valid {1 - design.alpha:.0%} interval {low:+.1%} to {high:+.1%})"
