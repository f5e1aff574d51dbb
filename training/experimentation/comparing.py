"""Every metric of every variant against the control, as it goes into the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from personalization.experiment_results import Comparison, Role
from training.experimentation.design import ExperimentDesign
from training.experimentation.estimates import Pair, compare
from training.experimentation.lifts import (
    lift,
    lift_interval,
    p_value,
    standard_errors,
    width_at_one_look,
)
from training.experimentation.metrics import METRICS, WINSORIZED, Metric
from training.experimentation.moments import Moments
from training.experimentation.multiple import benjamini_hochberg, holm
from training.experimentation.sequential import always_valid_p_value, boundary


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of one arm: what is reported, and the pair it comes from."""

    comparison: Comparison
    pair: Pair


def compare_all(design: ExperimentDesign, summed: Mapping[str, Moments]) -> list[list[Measured]]:
    """Compare each arm but the control (outer) in every metric that can be (inner: goal, guardrails, others).

    With several variants, the always-valid intervals and p-values are Bonferroni's: they hold over all looks
    and variants together. One-look p-values of goal and guardrails are adjusted over variants by Holm,
    those of all other metrics and variants together by Benjamini and Hochberg's.
    """
    guarded = {guardrail.metric: guardrail.margin for guardrail in design.guardrails}
    names = [design.goal, *guarded, *(name for name in METRICS if name not in {design.goal, *guarded})]
    measured = [
        [
            Measured(_comparison(design, METRICS[name], pair, summed[name], guarded.get(name)), pair)
            for name in names
            if (pair := compare(summed[name], arm))
        ]
        for arm in range(1, len(design.arms))
    ]
    return _adjusted(measured)


def _comparison(
    design: ExperimentDesign, metric: Metric, pair: Pair, summed: Moments, margin: float | None
) -> Comparison:
    variants = len(design.arms) - 1
    alpha, tuning = design.alpha / variants, design.tuning_users
    z = standard_errors(pair)
    always = lift_interval(pair, boundary(pair.users, alpha, tuning))
    role = Role.GOAL if metric.name == design.goal else Role.SECONDARY if margin is None else Role.GUARDRAIL
    return Comparison(
        metric=metric.name,
        role=role,
        unit=metric.unit,
        method=_method(metric, summed),
        control=pair.control,
        value=pair.value,
        lift=lift(pair),
        interval=lift_interval(pair, width_at_one_look(pair, design.alpha)),
        always_valid=always,
        p_value=p_value(z, pair.freedom),
        always_valid_p_value=min(1.0, variants * always_valid_p_value(z, pair.users, alpha, tuning)),
        margin=margin,
        harmed=margin is not None and always is not None and always[1] < -margin,
    )


def _method(metric: Metric, summed: Moments) -> str:
    """Name the formulas; what made no difference, as nothing was seen of anybody before, is not named."""
    before = summed.products[..., 2:, 2:].any()
    parts = [
        "delta method" if metric.below else "Welch's t",
        "CUPED" * bool(before),
        "post-stratified" * (summed.users.shape[1] > 1),
        f"winsorized at {WINSORIZED:.0%}" * metric.winsorized,
        "mixture sequential test",
    ]
    return ", ".join(filter(None, parts))


def _adjusted(measured: Sequence[Sequence[Measured]]) -> list[list[Measured]]:
    adjusted: dict[int, float] = {}
    by_metric: dict[str, list[Comparison]] = {}
    for one in chain.from_iterable(measured):
        family = "" if one.comparison.role is Role.SECONDARY else one.comparison.metric
        by_metric.setdefault(family, []).append(one.comparison)
    for family, comparisons in by_metric.items():
        p_values = [comparison.p_value or 0.0 for comparison in comparisons]
        values = holm(p_values) if family else benjamini_hochberg(p_values)
        adjusted |= {id(one): value for one, value in zip(comparisons, values, strict=True)}
    return [
        [
            Measured(replace(one.comparison, adjusted_p_value=adjusted[id(one.comparison)]), one.pair)
            for one in arm
        ]
        for arm in measured
    ]
