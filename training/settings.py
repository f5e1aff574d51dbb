"""What a model is made with: the recipe of its candidates, the parameters of its ranker, the seed.

Outside they are *hyperparameters*, a flat mapping of strings as SageMaker hands them to a training job:
``{"num_leaves": "15", "history_decay": "0.8", "offered.content": "90"}``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

import msgspec
from msgspec import Meta, Struct

from personalization.recipe import DEFAULT_OFFERED, Offer, Recipe

Part = Annotated[float, Meta(gt=0, le=1)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_OFFERED: Final = "offered."
_NOT_FLAT: Final = frozenset({"offered", "encoder", "encoder_weight"})
"""Of a recipe: the first has a name a source, the others come with an encoder (`Dataset.encoder`)."""


class HyperparameterError(ValueError):
    """A hyperparameter is unknown or out of its range."""


class RankerParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """LightGBM's parameters that may differ from model to model, by LightGBM's names.

    Attributes
    ----------
    num_leaves
        None for as many as the number of training users allows (`training.ranker.leaves`).
    trees
        At most so many; early stopping takes fewer.
    """

    trees: Annotated[int, Meta(ge=1, le=10_000)] = 200
    num_leaves: Annotated[int, Meta(ge=2, le=1_024)] | None = None
    learning_rate: Part = 0.05
    min_data_in_leaf: Annotated[int, Meta(ge=1, le=100_000)] = 20
    lambda_l2: Annotated[float, Meta(ge=0, le=1e6)] = 5.0
    feature_fraction: Part = 0.4
    bagging_fraction: Part = 0.5
    lambdarank_truncation_level: Annotated[int, Meta(ge=1, le=1_000)] = 20


class Settings(Struct, frozen=True, kw_only=True):
    """What a model is made with, besides its data."""

    recipe: Recipe = msgspec.field(default_factory=Recipe)
    ranker: RankerParameters = RankerParameters()
    seed: Seed = 1

    @classmethod
    def of(cls, hyperparameters: Mapping[str, str | int | float]) -> Self:
        """Read hyperparameters; those that are not given have their defaults.

        Raises
        ------
        HyperparameterError
            A name is unknown, or a value is not of its kind or out of its range.

        >>> Settings.of({"offered.content": "90", "num_leaves": "15"}).ranker.num_leaves
        15
        """
        unknown = sorted(hyperparameters.keys() - _KINDS.keys())
        if unknown:
            raise HyperparameterError(
                f"unknown hyperparameters: {', '.join(unknown)}; there are {', '.join(_KINDS)}"
            )
        values = {name: _read(name, text) for name, text in hyperparameters.items()}
        offered = {source: values.get(_OFFERED + source, count) for source, count in DEFAULT_OFFERED.items()}
        return cls(
            recipe=Recipe(offered=offered, **_of_kind(Recipe, values)),
            ranker=RankerParameters(**_of_kind(RankerParameters, values)),
            seed=values.get("seed", 1),
        )

    def hyperparameters(self) -> dict[str, str]:
        """Return all of them, as `of` reads them.

        >>> Settings.of(Settings(seed=7).hyperparameters()) == Settings(seed=7)
        True
        """
        recipe = msgspec.structs.asdict(self.recipe)
        offered = {_OFFERED + source: count for source, count in recipe.pop("offered").items()}
        flat = {name: value for name, value in recipe.items() if name not in _NOT_FLAT}
        values = {**msgspec.structs.asdict(self.ranker), **flat, **offered, "seed": self.seed}
        return {name: str(value) for name, value in values.items() if value is not None}


def _kinds(struct: type[Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct) if field.name not in _NOT_FLAT}


_KINDS: Final[Mapping[str, Any]] = {
    **_kinds(RankerParameters),
    **_kinds(Recipe),
    **{_OFFERED + source: Offer for source in DEFAULT_OFFERED},
    "seed": Seed,
}
"""Hyperparameter -> its type with its range."""


def _read(name: str, text: str | int | float) -> Any:
    try:
        return msgspec.convert(text, _KINDS[name], strict=False)
    except msgspec.ValidationError as error:
        raise HyperparameterError(f"hyperparameter {name} is {text!r}: {error}".replace("`", "")) from error


def _of_kind(struct: type[Struct], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _kinds(struct) if name in values}
