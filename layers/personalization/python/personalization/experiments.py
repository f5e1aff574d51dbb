"""Experiments: who sees which variant, and what a variant changes. All of it pure.

What nobody changes is a surface's default, and an experiment's control is the default itself: users who are
in no experiment, users of a control, and everybody while no definitions can be read, see the same.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from personalization.assignment import bucket, bucket_ranges, choose, in_namespace
from personalization.builds import Build, ModelVersion
from personalization.names import DEFAULT_LABEL, Ranker
from personalization.policies import Policy, Share
from personalization.profiles import NO_FACTS, Facts
from personalization.targeting import Targeting

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Surface = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}$")]
Salt = Annotated[str, Meta(pattern=r"^[!-~]{1,64}$")]
Label = Annotated[str, Meta(max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]


class Unit(StrEnum):
    """What is assigned, and keeps its variant."""

    USER = "user"
    SESSION = "session"
    """As the client counts sessions, by `session_id`; a request without one takes no part."""


class Measure(StrEnum):
    """What experiments are judged by."""

    CTR = "ctr"
    CONVERSION_RATE = "conversion_rate"
    REVENUE_PER_USER = "revenue_per_user"
    DWELL_PER_USER = "dwell_per_user"
    CLICKS_PER_USER = "clicks_per_user"


class Changes(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What differs from the default; None leaves it as it is.

    Attributes
    ----------
    model
        Version of a published model, instead of the one in service.
    sources_off
        Candidate sources that offer nothing.
    label
        "{title}" in it stands for the item that the user acted on last.
    """

    ranker: Ranker | None = None
    model: ModelVersion | None = None
    sources_off: tuple[str, ...] | None = None
    policy: Policy | None = None
    label: Label | None = None

    @property
    def changed(self) -> frozenset[str]:
        """Names of what is changed."""
        return frozenset(name for name in _CHANGEABLE if getattr(self, name) is not None)


_CHANGEABLE: Final = Changes.__struct_fields__


class Variant(Changes, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One arm of an experiment and what it changes."""

    name: Name
    weight: Annotated[float, Meta(gt=0, lt=1)]


class Namespace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer of mutually exclusive experiments: each owns a half-open range [start, end) of its users."""

    id: Name
    range: tuple[Share, Share]


class Guardrail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a variant must not harm: a loss of `margin`, relative to the control, is still accepted."""

    metric: Measure
    margin: Annotated[float, Meta(ge=0, lt=1)]


class Holdout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Users who are kept out of every experiment, for as long as share and salt stay."""

    share: Share
    salt: Salt = "holdout"

    def holds(self, user_key: str) -> bool:
        """Whether a user is kept out."""
        return bucket(self.salt, user_key) < self.share


class Experiment(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An experiment on one surface.

    Attributes
    ----------
    variants
        The first one is the control and changes nothing. Weights sum to 1.
    coverage
        Share of its users who take part; raise it to ramp up, and nobody changes variant.
    holdout
        Share of users who are kept out even at full coverage.
    salt
        What units are hashed with; the name if None. `training.balancing` picks one that balances strata.
    hash_version
        Of GrowthBook; 1 only to go on with an experiment of another system.
    starts_at, ends_at
        In force in [starts_at, ends_at); None for always.
    goal, guardrails, effect, strata
        For the analysis: what decides, what must not be harmed, the relative lift to detect, and the facts
        by which users are stratified.
    """

    name: Name
    surface: Surface
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2)]
    hypothesis: str = ""
    coverage: Share = 1.0
    unit: Unit = Unit.USER
    salt: Salt | None = None
    hash_version: Literal[1, 2] = 2
    namespace: Namespace | None = None
    holdout: Share = 0.0
    targeting: Targeting | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    goal: Measure = Measure.CTR
    guardrails: tuple[Guardrail, ...] = ()
    effect: Annotated[float, Meta(gt=0)] = 0.05
    strata: tuple[Literal["country", "device", "referrer"], ...] = ()

    def is_running(self, at: datetime) -> bool:
        """Whether it is in force at a time."""
        return (self.starts_at is None or self.starts_at <= at) and (
            self.ends_at is None or at < self.ends_at
        )

    @property
    def changed(self) -> frozenset[str]:
        """Names of what some variant changes."""
        return frozenset().union(*(variant.changed for variant in self.variants))


class Assignment(Struct, frozen=True, array_like=True):
    """One user's variant in one experiment."""

    experiment: str
    variant: str


class Visitor(Struct, frozen=True):
    """Who asks, as far as assignment looks at them."""

    user_key: str
    session_id: str | None = None
    facts: Facts = NO_FACTS


class Treatment(Struct, frozen=True):
    """What a request on a surface gets: how its list is built, what it is called, and what it counts for."""

    build: Build
    label: str
    assignments: tuple[Assignment, ...] = ()


def assign(experiment: Experiment, visitor: Visitor) -> Variant | None:
    """Return a visitor's variant, whenever the experiment is in force; None if they take no part.

    A few microseconds. Sticky by the unit: the variant depends on salt, weights and unit only. Targeting,
    holdout, namespace and coverage decide whether the unit takes part; a visitor who leaves the targeted
    country and returns has the same variant again.
    """
    if experiment.targeting and not experiment.targeting.admits(visitor.facts):
        return None
    return _place(experiment, visitor)


def _place(experiment: Experiment, visitor: Visitor) -> Variant | None:
    unit = visitor.user_key if experiment.unit is Unit.USER else visitor.session_id
    if not unit:
        return None
    namespace = experiment.namespace
    if namespace and not in_namespace(unit, namespace.id, namespace.range):
        return None
    salt = experiment.salt or experiment.name
    if experiment.holdout and bucket(f"{salt}-holdout", visitor.user_key) < experiment.holdout:
        return None
    weights = tuple(variant.weight for variant in experiment.variants)
    ranges = bucket_ranges(len(weights), experiment.coverage, weights)
    number = choose(bucket(salt, unit, experiment.hash_version), ranges)
    return None if number is None else experiment.variants[number]


class Definitions(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """All experiments, and what surfaces show without one.

    Experiments on one surface combine: those that a user may be in at the same time change different things
    (`definitions.parse_definitions` sees to it), so that their order does not matter. At most one published
    model is named by all of them.
    """

    experiments: tuple[Experiment, ...] = ()
    defaults: dict[Surface, Changes] = {}
    holdout: Holdout | None = None

    def experiment(self, name: str) -> Experiment | None:
        """Return the experiment of a name; None if there is none."""
        return next((experiment for experiment in self.experiments if experiment.name == name), None)

    @property
    def tried_model(self) -> str | None:
        """Version of the published model that some variant names; None if none does."""
        named = (variant.model for experiment in self.experiments for variant in experiment.variants)
        return next(filter(None, named), None)

    def treatment(
        self, visitor: Visitor, surface: str, at: datetime, *, forced: Sequence[Assignment] = ()
    ) -> Treatment:
        """Decide what a visitor sees on a surface at a time. Pure; a few microseconds an experiment.

        Whoever forces a variant sees it, and counts for no experiment.
        """
        taken = {
            experiment.name: variant
            for experiment in self._open_to(visitor, surface, at)
            if (variant := assign(experiment, visitor))
        }
        shown = taken | self._forced(surface, forced)
        build, label = self._combined(surface, list(shown.values()))
        counted = () if forced else tuple(Assignment(name, chosen.name) for name, chosen in taken.items())
        return Treatment(build, label, counted)

    def control(self, surface: str, *, forced: Sequence[Assignment] = ()) -> Treatment:
        """Return what a surface shows to who takes part in nothing."""
        build, label = self._combined(surface, list(self._forced(surface, forced).values()))
        return Treatment(build, label)

    def builds(
        self,
        visitor: Visitor,
        surface: str,
        at: datetime,
        *,
        any_session: bool = False,
        any_facts: bool = False,
        forced: Sequence[Assignment] = (),
    ) -> tuple[Build, ...]:
        """Return every build that a request of the visitor may ask for, without repetitions.

        One, unless the session (`any_session`) or the facts (`any_facts`) of the request are not known yet:
        then one a variant, or one with and one without a targeted variant.
        """
        options = {
            experiment.name: _options(experiment, visitor, any_session=any_session, any_facts=any_facts)
            for experiment in self._open_to(visitor, surface, at)
        }
        options |= {name: (variant,) for name, variant in self._forced(surface, forced).items()}
        combined = (self._combined(surface, chosen) for chosen in product(*options.values()))
        return tuple(dict.fromkeys(build for build, _ in combined))

    def _open_to(self, visitor: Visitor, surface: str, at: datetime) -> list[Experiment]:
        if self.holdout and self.holdout.holds(visitor.user_key):
            return []
        return [
            experiment
            for experiment in self.experiments
            if experiment.surface == surface and experiment.is_running(at)
        ]

    def _forced(self, surface: str, forced: Sequence[Assignment]) -> dict[str, Variant]:
        return {
            experiment.name: variant
            for experiment in self.experiments
            for variant in experiment.variants
            if experiment.surface == surface and Assignment(experiment.name, variant.name) in forced
        }

    def _combined(self, surface: str, changes: Sequence[Changes]) -> tuple[Build, str]:
        """Lay changes over the surface's default; of two that change the same, the later one counts."""
        default = self.defaults.get(surface)
        values: dict[str, Any] = {}
        for change in (default, *changes) if default else changes:
            values |= {name: getattr(change, name) for name in change.changed}
        label = values.pop("label", DEFAULT_LABEL)
        if "sources_off" in values:
            values["sources_off"] = tuple(sorted(set(values["sources_off"])))
        return Build(**values), label


def _options(
    experiment: Experiment, visitor: Visitor, *, any_session: bool, any_facts: bool
) -> tuple[Changes, ...]:
    """What an experiment may change for a visitor, of whom not all is known; the control stands for none."""
    control = experiment.variants[0]
    targeting = experiment.targeting
    if targeting and not any_facts and not targeting.admits(visitor.facts):
        return (control,)
    if experiment.unit is Unit.SESSION and any_session:
        return experiment.variants
    placed = _place(experiment, visitor) or control
    return (placed, control) if targeting and any_facts and placed is not control else (placed,)


NO_EXPERIMENTS: Final = Definitions()
