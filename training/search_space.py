"""Which hyperparameters are tuned, and between what: around the defaults, as wide as makes sense."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from personalization.recipe import DEFAULT_OFFERED


class Range(NamedTuple):
    """Both ends are in it; integers if both ends are. With `log`, equal factors are equally likely."""

    low: float
    high: float
    log: bool = False
    step: int = 1


RANKER: Final[Mapping[str, Range]] = {
    "num_leaves": Range(4, 63, log=True),
    "learning_rate": Range(0.01, 0.2, log=True),
    "min_data_in_leaf": Range(5, 200, log=True),
    "lambda_l2": Range(0.1, 100.0, log=True),
    "feature_fraction": Range(0.2, 1.0),
    "bagging_fraction": Range(0.3, 1.0),
    "lambdarank_truncation_level": Range(10, 50),
}
RECIPE: Final[Mapping[str, Range]] = {
    "history_decay": Range(0.5, 1.0),
    "last_items": Range(1, 5),
    "pair_window": Range(2, 30, log=True),
    "pair_decay": Range(0.5, 1.0),
    "transition_window": Range(1, 12, log=True),
    "transition_decay": Range(0.1, 1.0),
    "damping": Range(0.0, 0.8),
    **{f"offered.{source}": Range(0, count * 3 // 2, step=10) for source, count in DEFAULT_OFFERED.items()},
}
"""A source offers at most half again as many items as by default, and ranking costs no more than that."""
SPACE: Final = {**RANKER, **RECIPE}
