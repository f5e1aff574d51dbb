"""Trains the LambdaRank model: one group a user, the labels are the new items they came to next."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from personalization.boosting import lightgbm
from personalization.features import FEATURES
from personalization.model_tables import Floats, entries_at
from training.acts import Ints
from training.cluster import ALONE, Cluster
from training.distributed import StallWatch, network, without_addresses
from training.knowledge import Block, Knowledge
from training.settings import RankerParameters

MAX_TRAINING_USERS: Final = 30_000
"""More users than this a host are sampled: rows, and so time and memory, stay bounded."""
MAX_VALIDATION_USERS: Final = 5_000
NEGATIVES: Final = 100
"""Candidates a user that are not labels: a sample trains in a fraction of the time and ranks as well. What
was shown and passed over comes first, and others fill up."""
PATIENCE: Final = 100
MOST_LEAVES: Final = 31
DEFAULT: Final = RankerParameters()

PARAMETERS: Final[Mapping[str, int | float | str]] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": 10,
    "bagging_freq": 1,
    "deterministic": "true",
    "force_row_wise": "true",
    "verbosity": -1,
}
"""LightGBM's parameters that all rankers share. Deterministic for equal seed and threads."""


@dataclass(frozen=True)
class Examples:
    """Feature rows of *g* users with a label among their candidates.

    Attributes
    ----------
    matrix
        (rows, len(FEATURES)).
    label
        (rows,), 1 for a label and else 0.
    groups
        (g,), rows of each user.
    weight
        (rows,), how much each row counts: 1 but for labels, see `Lessons.weight`.
    """

    matrix: Floats
    label: npt.NDArray[np.int8]
    groups: Ints
    weight: Floats


@dataclass(frozen=True)
class TrainedRanker:
    """A model as LightGBM's text, and how the training went.

    Attributes
    ----------
    curve
        NDCG@10 on the validation users after each tree.
    importance
        Feature -> gain, largest first.
    training_users
        Whose choices this host learnt from.
    parameters
        LightGBM's, as it was given them.
    """

    text: str
    curve: Sequence[float]
    importance: Mapping[str, float]
    training_users: int
    parameters: Mapping[str, int | float | str]


class NothingToLearnError(ValueError):
    """No user has both a history and a label among their candidates."""


def train_ranker(
    knowledge: Knowledge,
    later: Knowledge,
    validated: Ints,
    *,
    seed: int,
    threads: int,
    ranker: RankerParameters = DEFAULT,
) -> TrainedRanker:
    """Draw examples and train on them.

    Raises
    ------
    NothingToLearnError
        There are too few users to learn from.
    """
    drawn = draw_examples(knowledge, later, validated, seed=seed)
    return fit_ranker(*drawn, ranker, seed=seed, threads=threads)


def draw_examples(
    knowledge: Knowledge, later: Knowledge, validated: Ints, *, seed: int, cluster: Cluster = ALONE
) -> tuple[Examples, Examples]:
    """Draw a host's training examples, and those of `validated` users' later labels, alike on all hosts."""
    chance, of_all = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    users = chance.permutation(knowledge.labels.users)[: MAX_TRAINING_USERS * cluster.size]
    training = collect_examples(knowledge, users[cluster.place :: cluster.size], sample=chance)
    validation = collect_examples(later, of_all.permutation(validated)[:MAX_VALIDATION_USERS])
    return training, validation


def fit_ranker(
    training: Examples,
    validation: Examples,
    ranker: RankerParameters = DEFAULT,
    *,
    seed: int,
    threads: int,
    cluster: Cluster = ALONE,
    watch: StallWatch | None = None,
) -> TrainedRanker:
    """Train on examples, stopping early by others. Cost: trees x training rows x features.

    Hosts of a cluster train together, each on its own examples, and all return the same model; `watch` sees
    to it that none waits for ever.

    Raises
    ------
    NothingToLearnError
        There are too few users to learn from.
    """
    if not len(training.groups) or not len(validation.groups):
        raise NothingToLearnError(
            "no user has a history and a later item among the candidates; the log needs more events"
        )
    parameters = _parameters(ranker, len(training.groups), seed=seed, threads=threads, cluster=cluster)
    train_set = _lightgbm_set(training, parameters)
    curve: dict[str, Any] = {}
    with watch or nullcontext():
        booster = lightgbm.train(
            parameters,
            train_set,
            num_boost_round=ranker.trees,
            valid_sets=[_lightgbm_set(validation, parameters, reference=train_set)],
            valid_names=["validation"],
            callbacks=[
                lightgbm.early_stopping(PATIENCE, verbose=False),
                lightgbm.record_evaluation(curve),
                *([watch] if watch else []),
            ],
        )
    gain = dict(zip(FEATURES, booster.feature_importance("gain").tolist(), strict=True))
    return TrainedRanker(
        text=without_addresses(booster.model_to_string(num_iteration=booster.best_iteration)),
        curve=curve["validation"]["ndcg@10"],
        importance=dict(sorted(gain.items(), key=lambda entry: (-entry[1], entry[0]))),
        training_users=len(training.groups),
        parameters=parameters,
    )


def _parameters(
    ranker: RankerParameters, groups: int, *, seed: int, threads: int, cluster: Cluster
) -> dict[str, int | float | str]:
    # Hosts must grow trees of one size, and know their own groups only; several are for large logs.
    usual = leaves(groups) if cluster.size == 1 else MOST_LEAVES
    chosen = msgspec.structs.asdict(ranker)
    del chosen["trees"]
    return {
        **PARAMETERS,
        **chosen,
        "num_leaves": ranker.num_leaves or usual,
        "seed": seed,
        "num_threads": threads,
        **network(cluster),
    }


def collect_examples(
    knowledge: Knowledge, users: Ints, *, sample: np.random.Generator | None = None
) -> Examples:
    """Build the rows of users with a label among their candidates.

    Items that nobody had acted on by the time of the label are left out: they could not have been
    recommended, and their age would tell so. With `sample`, each user keeps `NEGATIVES` of the other items.
    Items passed over that no source offers are left out, too: a row without a source is never ranked, and
    would teach that having none is bad.
    """
    nothing = Examples(
        np.empty((0, len(FEATURES)), dtype=np.float32),
        np.empty(0, dtype=np.int8),
        np.empty(0, dtype=np.int64),
        np.empty(0, dtype=np.float32),
    )
    parts = [nothing, *(_rows(block, knowledge, sample) for block in knowledge.blocks(users))]
    return Examples(
        np.vstack([part.matrix for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.groups for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def _rows(block: Block, knowledge: Knowledge, sample: np.random.Generator | None) -> Examples:
    candidates = block.candidates
    label = knowledge.labels.among(block.users[candidates.user], candidates.item)
    kept = block.tables.first_seen[candidates.item] <= block.at[candidates.user]
    taught = np.zeros(candidates.users, dtype=np.bool_)
    taught[candidates.user[label & kept]] = True
    kept &= taught[candidates.user]
    weight = np.ones(len(label), dtype=np.float32)
    lessons = knowledge.lessons
    preferred = np.zeros(len(label), dtype=np.float32)
    if lessons is not None:
        preferred = entries_at(lessons.passed_over, block.users[candidates.user], candidates.item)
        weight[label] = lessons.weight[candidates.item[label]]
    if sample is not None:
        kept &= label | _sampled(candidates.user, kept & ~label, preferred, sample)
    groups = np.bincount(candidates.user[kept], minlength=candidates.users)[taught]
    return Examples(block.features(kept), label[kept].astype(np.int8), groups, weight[kept])


def _sampled(
    user: Ints, eligible: npt.NDArray[np.bool_], preferred: Floats, sample: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Choose up to `NEGATIVES` eligible rows of each user, those `preferred`, 1 and not 0, first."""
    key = np.where(eligible, sample.random(len(user)) - preferred, 2.0)
    order = np.lexsort((key, user))
    starts = np.searchsorted(user, user[order])
    chosen = np.zeros(len(user), dtype=np.bool_)
    chosen[order[np.arange(len(user)) - starts < NEGATIVES]] = True
    return chosen & eligible


def leaves(groups: int) -> int:
    """Leaves a tree may have for so many training users: a small log learns noise with large trees.

    >>> leaves(500), leaves(1500), leaves(20_000)
    (7, 15, 31)
    """
    return min(max(groups // 100, 7), MOST_LEAVES)


def _lightgbm_set(
    examples: Examples, parameters: Mapping[str, Any], reference: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        examples.matrix,
        label=examples.label,
        group=examples.groups,
        weight=examples.weight,
        feature_name=list(FEATURES),
        reference=reference,
        params=dict(parameters),
    )
