"""What tuning maximizes: NDCG@10 by cross-validation over users, of nothing but the train stage.

The labels, profiles and tables are the train stage's, those that training itself learns from. Nothing of the
test stage is looked at: neither its labels, nor what was known by then. Folds are made of users, by a hash
of their keys; a fold is ranked by a model of the other folds, of whose users those of `stops_training` tell
when to stop.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from personalization.boosting import lightgbm
from personalization.features import FEATURES
from personalization.model_tables import Floats
from personalization.recipe import Recipe
from training.acts import Ints
from training.dataset import Dataset
from training.knowledge import Knowledge
from training.measuring import TOP
from training.metrics import Doubles, binary_ndcg
from training.ranker import Examples, NothingToLearnError, collect_examples, fit_ranker
from training.settings import Settings
from training.split import Stage, known_to, stops_training
from training.tables import recounted

FOLDS: Final = 3
SAMPLED_USERS: Final = 6_000
"""Of more labelled users so many are taken, by a hash of their keys: time and memory stay bounded."""
_KEPT: Final = 2
"""Recipes whose examples are kept: the best one, and the one that is tried. 66 kB a user each."""


@dataclass(frozen=True)
class Contest:
    """All candidates of *u* users, to be ranked.

    Attributes
    ----------
    user
        (c,), place among the users, ascending; a user's candidates are in the catalogue's order.
    label
        (c,), whether a candidate is one of the user's labels.
    relevant
        (u,), labels of each user, among the candidates or not; one at least.
    matrix
        (c, len(FEATURES)).
    """

    user: Ints
    label: npt.NDArray[np.bool_]
    relevant: Ints
    matrix: Floats

    @classmethod
    def of(cls, knowledge: Knowledge, users: Ints) -> "Contest":
        """Find and describe the candidates of labelled users."""
        user, label, matrices = [], [], [np.empty((0, len(FEATURES)), dtype=np.float32)]
        place = 0
        for block in knowledge.blocks(users):
            found = block.candidates
            user.append(found.user + place)
            label.append(knowledge.labels.among(block.users[found.user], found.item))
            matrices.append(block.features())
            place += len(block.users)
        return cls(
            np.concatenate([np.empty(0, dtype=np.int64), *user]),
            np.concatenate([np.empty(0, dtype=np.bool_), *label]),
            (knowledge.labels.items[users] >= 0).sum(axis=1),
            np.concatenate(matrices),
        )

    def gains(self, scores: Doubles) -> Doubles:
        """Return (u,) the NDCG@10 of the order of scores (c,); 0 where no label is among the candidates."""
        order = np.lexsort((-scores, self.user))
        place = np.arange(len(order)) - np.searchsorted(self.user, self.user)
        top = place < TOP
        hits = np.zeros((len(self.relevant), TOP), dtype=np.bool_)
        hits[self.user[top], place[top]] = self.label[order[top]]
        return binary_ndcg(hits, self.relevant)


@dataclass(frozen=True)
class Fold:
    """A fold's users by one recipe, in the three parts they play; each is made when it is asked for."""

    knowledge: Knowledge
    users: Ints
    stops: npt.NDArray[np.bool_]
    seed: int

    @cached_property
    def teaching(self) -> Examples:
        """What others are ranked by."""
        chance = np.random.default_rng(self.seed)
        return collect_examples(self.knowledge, self.users[~self.stops], sample=chance)

    @cached_property
    def stopping(self) -> Examples:
        """What tells others when to stop."""
        return collect_examples(self.knowledge, self.users[self.stops])

    @cached_property
    def contest(self) -> Contest:
        """What others' model ranks."""
        return Contest.of(self.knowledge, self.users)


class CrossValidation:
    """Scores settings on a dataset's train stage.

    Cost of a new recipe: its tables, linear in acts, if it counts others; then candidates and features of at
    most `SAMPLED_USERS`, twice. Of a ranker's parameters: `FOLDS` trainings.
    """

    def __init__(self, dataset: Dataset, *, seed: int, threads: int) -> None:
        keys, labels = dataset.log.users, dataset.labels[Stage.TRAIN]
        first = np.argsort(_hashes(b"tuning", keys, labels.users), kind="stable")[:SAMPLED_USERS]
        self.users = labels.users[np.sort(first)]
        self._seed, self._threads = seed, threads
        self._fold = _hashes(b"fold", keys, self.users) % FOLDS
        self._stops = stops_training(keys, self.users)
        self._knowledge = dataset.knowledge(Stage.TRAIN)
        self._acts = known_to(labels, dataset.log.acts)
        self._recipes: OrderedDict[bytes, Sequence[Fold]] = OrderedDict()

    def gains(self, settings: Settings) -> Iterator[Doubles]:
        """Yield each fold's users' NDCG@10, fold by fold; 0 where the others have nothing to learn from."""
        folds = self._folds(settings.recipe)
        for held_out in folds:
            others = [fold for fold in folds if fold is not held_out]
            teaching, stopping = (
                _joined([getattr(fold, part) for fold in others]) for part in ("teaching", "stopping")
            )
            try:
                trained = fit_ranker(
                    teaching, stopping, settings.ranker, seed=self._seed, threads=self._threads
                )
            except NothingToLearnError:
                yield np.zeros(len(held_out.users))
            else:
                yield held_out.contest.gains(self._predicted(trained.text, held_out.contest.matrix))

    def _predicted(self, ranker: str, matrix: Floats) -> Doubles:
        booster = lightgbm.Booster(model_str=ranker)
        found = booster.predict(matrix, num_threads=self._threads) if len(matrix) else ()
        return np.asarray(found, dtype=np.float64)

    def _folds(self, recipe: Recipe) -> Sequence[Fold]:
        key = msgspec.json.encode(recipe)
        if key not in self._recipes:
            while len(self._recipes) >= _KEPT:
                self._recipes.popitem(last=False)
            self._recipes[key] = self._made(recipe)
        self._recipes.move_to_end(key)
        return self._recipes[key]

    def _made(self, recipe: Recipe) -> Sequence[Fold]:
        tables = recounted(self._knowledge.tables, self._acts, recipe)
        self._knowledge = replace(self._knowledge, tables=tables)
        folds = (self._fold == number for number in range(FOLDS))
        return [
            Fold(self._knowledge, self.users[inside], self._stops[inside], self._seed + number)
            for number, inside in enumerate(folds)
        ]


def _hashes(purpose: bytes, keys: Sequence[str], users: Ints) -> Ints:
    """(m,), the same every night, and independent from purpose to purpose."""
    return np.array([crc32(purpose + keys[user].encode()) for user in users.tolist()], dtype=np.int64)


def _joined(parts: Sequence[Examples]) -> Examples:
    columns = (field.name for field in fields(Examples))
    return Examples(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns})
