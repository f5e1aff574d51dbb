"""Reading definitions of experiments: one parser for synthesis, the validator, and all who serve or build."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import prod
from typing import Final

import msgspec

from personalization.errors import InvalidInput
from personalization.experiments import Changes, Definitions, Experiment
from personalization.names import TITLE
from personalization.recipe import DEFAULT_OFFERED

MAX_BUILDS: Final = 12
"""Different lists that experiments on one surface may ask for: a request reads those it may need at once."""
_WEIGHT_TOLERANCE: Final = 1e-6


def parse_definitions(data: bytes) -> Definitions:
    """Read and check definitions, as JSON.

    Raises
    ------
    InvalidInput
        `invalid_experiments`, with what to change: a wrong shape or name, weights that don't sum to 1, a
        control that changes something, two experiments that meet and change the same.
    """
    try:
        definitions = msgspec.json.decode(data, type=Definitions)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("invalid_experiments", str(error)) from None
    for experiment in definitions.experiments:
        _check_experiment(experiment)
    for surface, default in definitions.defaults.items():
        _check_changes(f"the default of {surface}", default)
        _require(
            default.model is None,
            f"the default of {surface} can't name a model: roll back to it",
        )
    _refuse_repeats("experiments", [experiment.name for experiment in definitions.experiments])
    _check_together(definitions)
    return definitions


def _check_experiment(experiment: Experiment) -> None:
    name, control = experiment.name, experiment.variants[0]
    weights = sum(variant.weight for variant in experiment.variants)
    _require(abs(weights - 1) <= _WEIGHT_TOLERANCE, f"the weights of {name} sum to {weights:g}, not to 1")
    _refuse_repeats(f"variants of {name}", [variant.name for variant in experiment.variants])
    _require(
        not control.changed,
        f"{control.name} is the control of {name}, and changes {', '.join(sorted(control.changed))}: "
        f"make that the default of {experiment.surface}",
    )
    for variant in experiment.variants:
        _check_changes(f"{variant.name} of {name}", variant)
    measured = [experiment.goal, *(guardrail.metric for guardrail in experiment.guardrails)]
    _refuse_repeats(f"goal and guardrails of {name}", measured)
    if experiment.namespace:
        start, end = experiment.namespace.range
        _require(start < end, f"the range of {name} in its namespace is empty")
    if experiment.starts_at and experiment.ends_at:
        _require(experiment.starts_at < experiment.ends_at, f"{name} ends before it starts")
    if experiment.targeting:
        experiment.targeting.check()


def _check_changes(what: str, changes: Changes) -> None:
    off = set(changes.sources_off or ())
    unknown = sorted(off - DEFAULT_OFFERED.keys())
    _require(not unknown, f"{what} turns off {', '.join(unknown)}; sources are {', '.join(DEFAULT_OFFERED)}")
    _require(len(off) < len(DEFAULT_OFFERED), f"{what} turns off every source of candidates")
    rest = (changes.label or "").replace(TITLE, "")
    _require(not {"{", "}"} & set(rest), f"the label of {what} may have {TITLE} in it, and no other braces")


def _check_together(definitions: Definitions) -> None:
    experiments = definitions.experiments
    for one, other in combinations(experiments, 2):
        if one.namespace and other.namespace and one.namespace.id == other.namespace.id:
            _check_layer(one, other)
        elif one.surface == other.surface and not _apart(one, other):
            common = ", ".join(sorted(one.changed & other.changed))
            _require(
                not common,
                f"a user may be in {one.name} and {other.name}, which both change {common}: "
                "give them ranges of one namespace",
            )
    pinned = sorted({v.model for experiment in experiments for v in experiment.variants if v.model})
    _require(len(pinned) <= 1, f"only one published model can be tried at a time, not {', '.join(pinned)}")
    for surface in sorted({experiment.surface for experiment in experiments}):
        count = _count_builds([experiment for experiment in experiments if experiment.surface == surface])
        _require(
            count <= MAX_BUILDS,
            f"the experiments on {surface} ask for {count} different lists, of at most {MAX_BUILDS}",
        )


def _check_layer(one: Experiment, other: Experiment) -> None:
    names = f"{one.name} and {other.name}, of one namespace,"
    _require(one.unit is other.unit, f"{names} have different units, and would not exclude each other")
    if one.namespace and other.namespace and not _apart(one, other):
        (start, end), (other_start, other_end) = one.namespace.range, other.namespace.range
        _require(end <= other_start or other_end <= start, f"the ranges of {names} overlap")


def _apart(one: Experiment, other: Experiment) -> bool:
    """Whether one ends before the other starts."""
    return any(
        first.ends_at and second.starts_at and first.ends_at <= second.starts_at
        for first, second in ((one, other), (other, one))
    )


def _count_builds(experiments: Iterable[Experiment]) -> int:
    """Count the ways in which what lists are built by can combine; experiments of a namespace don't."""
    layers: dict[str, set[tuple[object, ...]]] = {}
    for experiment in experiments:
        layer = f"namespace {experiment.namespace.id}" if experiment.namespace else experiment.name
        builds = (msgspec.structs.astuple(_without_label(variant)) for variant in experiment.variants)
        layers.setdefault(layer, set()).update(builds)
    return prod(map(len, layers.values()))


def _without_label(variant: Changes) -> Changes:
    return Changes(
        ranker=variant.ranker, model=variant.model, sources_off=variant.sources_off, policy=variant.policy
    )


def _refuse_repeats(what: str, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    _require(not repeated, f"{what} named twice: {', '.join(repeated)}")


def _require(holds: object, reason: str) -> None:
    if not holds:
        raise InvalidInput("invalid_experiments", reason)
