"""Experiments: who sees which variant. Assignment is a pure function of (user key, experiment).

Hash version 2 and bucket ranges as GrowthBook's SDK specification defines them
(https://docs.growthbook.io/lib/build-your-own), so its SDKs assign alike. A user keeps their variant
when coverage grows, because each variant's bucket range grows from a fixed start.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from personalization.errors import InvalidInput
from personalization.names import Ranker
from personalization.policies import RELEVANCE, Policy

_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193
_WEIGHT_TOLERANCE: Final = 1e-6


class Variant(Struct, frozen=True, kw_only=True):
    """One arm of an experiment and what it changes."""

    name: str
    weight: Annotated[float, Meta(ge=0, le=1)]
    ranker: Ranker = Ranker.LIGHTGBM
    policy: Policy = RELEVANCE
    label: str = "Recommended for you"


class Experiment(Struct, frozen=True, kw_only=True):
    """A running experiment on one surface.

    Attributes
    ----------
    name
        Stable name; also the hash seed unless `seed` is given.
    coverage
        Share of users who take part; everybody else gets the control, unassigned.
    variants
        The first one is the control. Weights sum to 1.
    """

    name: str
    surface: str
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2)]
    coverage: Annotated[float, Meta(ge=0, le=1)] = 1.0
    seed: str | None = None


class Assignment(Struct, frozen=True, array_like=True):
    """One user's variant in one experiment."""

    experiment: str
    variant: str


class Treatment(Struct, frozen=True):
    """What a request on a surface gets: the variant in force and the assignments to report."""

    variant: Variant
    assignments: tuple[Assignment, ...]


class Definitions(Struct, frozen=True):
    """All experiments, and what surfaces without one get."""

    experiments: tuple[Experiment, ...] = ()
    default: Variant = Variant(name="default", weight=1.0)

    def treatment(self, user_key: str, surface: str) -> Treatment:
        """Decide what a user sees on a surface. Pure; a few microseconds an experiment."""
        for experiment in self.experiments:
            if experiment.surface == surface:
                variant = assign(experiment, user_key)
                if variant is None:
                    return Treatment(experiment.variants[0], ())
                return Treatment(variant, (Assignment(experiment.name, variant.name),))
        return Treatment(self.default, ())

    def rankers(self) -> frozenset[Ranker]:
        """Every ranker that some variant uses."""
        used = {variant.ranker for experiment in self.experiments for variant in experiment.variants}
        return frozenset(used | {self.default.ranker})


def bucket(seed: str, value: str) -> float:
    """Hash a user into [0, 1) in steps of 1/10,000 (hash version 2).

    >>> bucket("", "a")
    0.0216
    """
    return _fnv1a_32(str(_fnv1a_32(seed + value))) % 10_000 / 10_000


def bucket_ranges(coverage: float, weights: list[float]) -> list[tuple[float, float]]:
    """Half-open ranges [start, start + coverage x weight) of each variant, from cumulative weights.

    >>> bucket_ranges(0.5, [0.5, 0.5])
    [(0.0, 0.25), (0.5, 0.75)]
    """
    ranges, start = [], 0.0
    for weight in weights:
        ranges.append((start, start + coverage * weight))
        start += weight
    return ranges


def assign(experiment: Experiment, user_key: str) -> Variant | None:
    """Return the user's variant, or None if they are outside the coverage."""
    point = bucket(experiment.seed or experiment.name, user_key)
    weights = [variant.weight for variant in experiment.variants]
    for variant, (start, end) in zip(
        experiment.variants, bucket_ranges(experiment.coverage, weights), strict=True
    ):
        if start <= point < end:
            return variant
    return None


def parse_definitions(data: bytes) -> Definitions:
    """Read and check a definitions file.

    Raises
    ------
    InvalidInput
        `invalid_experiments`: wrong shape, weights that don't sum to 1, a name used twice, or two
        experiments on one surface.
    """
    try:
        definitions = msgspec.json.decode(data, type=Definitions)
    except msgspec.DecodeError as error:
        raise InvalidInput("invalid_experiments", str(error)) from None
    for experiment in definitions.experiments:
        if abs(sum(variant.weight for variant in experiment.variants) - 1) > _WEIGHT_TOLERANCE:
            raise InvalidInput("invalid_experiments", f"the weights of {experiment.name} don't sum to 1")
        _refuse_repeats(f"variants of {experiment.name}", [variant.name for variant in experiment.variants])
    _refuse_repeats("experiments", [experiment.name for experiment in definitions.experiments])
    _refuse_repeats("surfaces", [experiment.surface for experiment in definitions.experiments])
    return definitions


def _refuse_repeats(what: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInput("invalid_experiments", f"{what} named twice: {', '.join(repeated)}")


@cache
def packaged_definitions() -> Definitions:
    """Return the definitions shipped with this package, `experiments.json`."""
    return parse_definitions(Path(__file__).with_name("experiments.json").read_bytes())


def _fnv1a_32(text: str) -> int:
    """FNV-1a with 32 bits over UTF-8 bytes; user keys and seeds are ASCII, where all SDKs agree."""
    digest = _FNV_OFFSET
    for byte in text.encode():
        digest = ((digest ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return digest
