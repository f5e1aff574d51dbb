"""Trains the LambdaRank model: one group a user, the label is the one new item they came to next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, Final

import lightgbm
import numpy as np
import numpy.typing as npt

from personalization.candidates import Candidates, generate, history_of
from personalization.features import FEATURES, features
from personalization.model_tables import Floats, Tables
from personalization.profiles import Profile
from personalization.ranking import BLOCK_USERS
from training.acts import Ints
from training.split import Labels

MAX_TRAINING_USERS: Final = 30_000
"""More users than this are sampled: rows, and so time and memory, stay bounded."""
VALIDATION_SHARE: Final = 0.15
PATIENCE: Final = 40
MAX_TREES: Final = 600

PARAMETERS: Final[Mapping[str, int | float | str]] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": 10,
    "lambdarank_truncation_level": 20,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "lambda_l2": 5.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": "true",
    "force_row_wise": "true",
    "verbosity": -1,
}
"""LightGBM's parameters; seed and threads are added. Deterministic for equal seed and threads."""


@dataclass(frozen=True)
class Examples:
    """Feature rows of *g* users whose label is among their candidates.

    Attributes
    ----------
    matrix
        (rows, len(FEATURES)).
    label
        (rows,), 1 for the label and else 0.
    groups
        (g,), rows of each user.
    """

    matrix: Floats
    label: npt.NDArray[np.int8]
    groups: Ints


@dataclass(frozen=True)
class TrainedRanker:
    """A model as LightGBM's text, and how the training went.

    Attributes
    ----------
    curve
        NDCG@10 on the validation users after each tree.
    importance
        Feature -> gain, largest first.
    """

    text: str
    curve: Sequence[float]
    importance: Mapping[str, float]
    training_users: int


class NothingToLearnError(ValueError):
    """No user has both a history and a label among their candidates."""


def train_ranker(
    profiles: Sequence[Profile],
    labels: Labels,
    tables: Tables,
    *,
    seed: int,
    threads: int,
) -> TrainedRanker:
    """Train on labelled users, stopping early on a held-out share of them.

    Raises
    ------
    NothingToLearnError
        There are too few users to learn from.
    """
    users = _sample(labels.users, seed)
    cut = int(len(users) * (1 - VALIDATION_SHARE))
    training = collect_examples(users[:cut], profiles, labels, tables)
    validation = collect_examples(users[cut:], profiles, labels, tables)
    if not len(training.groups) or not len(validation.groups):
        raise NothingToLearnError(
            "no user has a history and a later item among the candidates; the log needs more events"
        )
    parameters: dict[str, Any] = {**PARAMETERS, "seed": seed, "num_threads": threads}
    train_set = _lightgbm_set(training, parameters)
    curve: dict[str, Any] = {}
    booster = lightgbm.train(
        parameters,
        train_set,
        num_boost_round=MAX_TREES,
        valid_sets=[_lightgbm_set(validation, parameters, reference=train_set)],
        valid_names=["validation"],
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lightgbm.record_evaluation(curve),
        ],
    )
    gain = dict(zip(FEATURES, booster.feature_importance("gain").tolist(), strict=True))
    return TrainedRanker(
        text=booster.model_to_string(num_iteration=booster.best_iteration),
        curve=[float(value) for value in curve["validation"]["ndcg@10"]],
        importance=dict(sorted(gain.items(), key=lambda entry: (-entry[1], entry[0]))),
        training_users=len(training.groups) + len(validation.groups),
    )


def collect_examples(users: Ints, profiles: Sequence[Profile], labels: Labels, tables: Tables) -> Examples:
    """Build the rows of users whose label is among their candidates, a block of users at a time."""
    parts = list(_blocks(users, profiles, labels, tables))
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return Examples(np.empty((0, len(FEATURES)), np.float32), empty.astype(np.int8), empty)
    matrices, targets, groups = zip(*parts, strict=True)
    return Examples(np.vstack(matrices), np.concatenate(targets), np.concatenate(groups))


def _blocks(
    users: Ints, profiles: Sequence[Profile], labels: Labels, tables: Tables
) -> Iterator[tuple[Floats, npt.NDArray[np.int8], Ints]]:
    for block in batched(users.tolist(), BLOCK_USERS, strict=False):
        chosen = [profiles[user] for user in block]
        history = history_of(chosen, tables)
        candidates = generate(history, tables)
        target = candidates.item == labels.item[list(block)][candidates.user]
        found = np.zeros(candidates.users, dtype=np.bool_)
        found[candidates.user[target]] = True
        kept = found[candidates.user]
        subset = _subset(candidates, kept)
        matrix = features(subset, chosen, history, tables, labels.cut[list(block)])
        yield matrix, target[kept].astype(np.int8), candidates.group_sizes[found]


def _subset(candidates: Candidates, kept: npt.NDArray[np.bool_]) -> Candidates:
    return Candidates(
        candidates.user[kept],
        candidates.item[kept],
        candidates.score[kept],
        candidates.rank[kept],
        candidates.users,
    )


def _sample(users: Ints, seed: int) -> Ints:
    shuffled = np.random.default_rng(seed).permutation(users)
    return shuffled[:MAX_TRAINING_USERS]


def _lightgbm_set(
    examples: Examples, parameters: dict[str, Any], reference: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        examples.matrix,
        label=examples.label,
        group=examples.groups,
        feature_name=list(FEATURES),
        reference=reference,
        params=parameters,
    )
