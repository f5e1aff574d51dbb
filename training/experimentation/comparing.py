"""Every metric of every variant against the control, as it goes into the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec.structs import replace as changed

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
    """A metric of one arm: what is reported, the pair it comes from, and its p-value at this look."""

    comparison: Comparison
    pair: Pair
    p_value: float


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
            _measured(design, METRICS[name], pair, summed[name], guarded.get(name))
            for name in names
            if (pair := compare(summed[name], arm))
        ]
        for arm in range(1, len(design.arms))
    ]
    return _adjusted(measured)


def _measured(
    design: ExperimentDesign, metric: Metric, pair: Pair, summed: Moments, margin: float | None
) -> Measured:
    variants = design.compared
    alpha, tuning = design.alpha / variants, design.tuning_users
    z = standard_errors(pair)
    p = p_value(z, pair.freedom)
    always = lift_interval(pair, boundary(pair.users, alpha, tuning))
    role = Role.GOAL if metric.name == design.goal else Role.SECONDARY if margin is None else Role.GUARDRAIL
    comparison = Comparison(
        metric=metric.name,
        role=role,
        unit=metric.unit,
        method=_method(metric, summed),
        control=pair.control,
        value=pair.value,
        lift=lift(pair),
        interval=lift_interval(pair, width_at_one_look(pair, design.alpha)),
        always_valid=always,
        p_value=p,
        always_valid_p_value=min(1.0, variants * always_valid_p_value(z, pair.users, alpha, tuning)),
        margin=margin,
        harmed=margin is not None and always is not None and always[1] < -margin,
    )
    return Measured(comparison, pair, p)


def _method(metric: Metric, summed: Moments) -> str:
    """Name the formulas; what made no difference, as nothing was seen of anybody before, is not named."""
    before = summed.products[..., 2:, 2:].any()
    parts = [
        metric.test,
        "CUPED" * bool(before),
        "post-stratified" * (summed.users.shape[1] > 1),
        f"winsorized at {WINSORIZED:.0%}" * metric.winsorized,
        "mixture sequential test",
    ]
    return ", ".join(filter(None, parts))


def _adjusted(measured: Sequence[Sequence[Measured]]) -> list[list[Measured]]:
    families: dict[str, list[tuple[int, int]]] = {}
    for arm, of_arm in enumerate(measured):
        for place, one in enumerate(of_arm):
            secondary = one.comparison.role is Role.SECONDARY
            families.setdefault("" if secondary else one.comparison.metric, []).append((arm, place))
    adjusted = [list(of_arm) for of_arm in measured]
    for family, places in families.items():
        p_values = [measured[arm][place].p_value for arm, place in places]
        values = holm(p_values) if family else benjamini_hochberg(p_values)
        for (arm, place), value in zip(places, values, strict=True):
            one = measured[arm][place]
            adjusted[arm][place] = replace(one, comparison=changed(one.comparison, adjusted_p_value=value))
    return adjusted
