"""Held-out quality: how high each method ranks the item that a user came to next, unseen by all of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

from personalization.candidates import SOURCES, Candidates
from personalization.features import FEATURES
from personalization.ranking import (
    LightGbmScorer,
    Scorer,
    best_by_user,
    covisitation_scores,
    read_metadata,
)
from training.acts import Ints
from training.dataset import Dataset
from training.knowledge import Knowledge
from training.metrics import gains, hit_rate, mean_reciprocal_rank, ndcg
from training.split import Stage

CUTOFFS: Final = (5, 10, 20)
LIST_LENGTH: Final = 20
RESAMPLES: Final = 1_000
MODEL: Final = "model"
CHAMPION: Final = "the model in service"
COVISITATION: Final = "co-visitation"
POPULARITY: Final = "popularity"


class Scores(msgspec.Struct, frozen=True):
    """One method's quality, by metric and cut-off: `{"ndcg": {"10": 0.05}}`."""

    ndcg: dict[int, float]
    hit_rate: dict[int, float]
    mrr: dict[int, float]


class Difference(msgspec.Struct, frozen=True):
    """NDCG@10 of the model minus that of a rival, user by user: mean and 95% bootstrap interval."""

    mean: float
    low: float
    high: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an evaluation.

    Attributes
    ----------
    users
        Users with a held-out item and a history.
    methods
        Method -> quality.
    differences
        Rival -> what the model has more, or less, than it.
    recall_by_source
        Source -> share of users whose item it offers; `any` for all together: the ceiling of the ranker.
    """

    users: int
    methods: dict[str, Scores]
    differences: dict[str, Difference]
    recall_by_source: dict[str, float]


def rankers_of(model: Path, champion: Path | None = None, *, threads: int) -> dict[str, Scorer]:
    """Load the rankers of a model's folder and of the model in service's.

    A champion that isn't there, or that was trained on other features than are computed now, is left out.
    """
    rankers: dict[str, Scorer] = {MODEL: LightGbmScorer(model, threads)}
    metadata = None if champion is None else read_metadata(champion)
    if champion is not None and metadata is not None and metadata.features == FEATURES:
        rankers[CHAMPION] = LightGbmScorer(champion, threads)
    return rankers


def evaluate(dataset: Dataset, rankers: Mapping[str, Scorer]) -> Evaluation:
    """Rank each user's candidates at the time of their held-out item, by each ranker and both baselines.

    All see the same candidates, of tables that don't know the held-out items.
    """
    knowledge = dataset.knowledge(Stage.TEST)
    ranks, offered = rank_labels(knowledge, rankers)
    recall = {source: float(np.mean(offered[:, place])) for place, source in enumerate(SOURCES)}
    recall["any"] = float(np.mean(offered.any(axis=1)))
    return Evaluation(
        users=len(knowledge.labels.users),
        methods={method: _scores(found) for method, found in ranks.items()},
        differences={rival: compare(ranks[MODEL], ranks[rival]) for rival in ranks if rival != MODEL},
        recall_by_source={source: _rounded(share) for source, share in recall.items()},
    )


def compare(model: Ints, rival: Ints) -> Difference:
    """Compare two methods by their ranks of the same users' items, by a paired percentile bootstrap."""
    gained = gains(model, 10) - gains(rival, 10)
    if len(gained) < 2:
        return Difference(0.0, -1.0, 1.0)
    interval = bootstrap(
        (gained,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=50,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Difference(
        _rounded(float(gained.mean())), _rounded(float(interval.low)), _rounded(float(interval.high))
    )


def rank_labels(
    knowledge: Knowledge, rankers: Mapping[str, Scorer]
) -> tuple[Mapping[str, Ints], npt.NDArray[np.bool_]]:
    """Return each labelled user's rank by method, and which sources offer the label (users, SOURCES)."""
    ranks: dict[str, list[int]] = {method: [] for method in (*rankers, COVISITATION, POPULARITY)}
    offered = []
    for block in knowledge.blocks(knowledge.labels.users):
        candidates, wanted = block.candidates, knowledge.labels.item[block.users]
        matrix = block.features()
        by_method = {
            **{method: scorer.predict(matrix) for method, scorer in rankers.items()},
            COVISITATION: covisitation_scores(candidates),
            POPULARITY: np.nan_to_num(candidates.score[:, SOURCES.index("popular")], nan=-1.0).astype(float),
        }
        for method, scores in by_method.items():
            ranks[method] += _label_ranks(candidates, scores, wanted)
        offered.append(_offered(candidates, wanted))
    nothing = np.zeros((0, len(SOURCES)), dtype=np.bool_)
    return {method: np.array(found) for method, found in ranks.items()}, np.vstack([nothing, *offered])


def _label_ranks(candidates: Candidates, scores: npt.NDArray[np.float64], wanted: Ints) -> list[int]:
    every = np.ones(int(candidates.item.max(initial=0)) + 1, dtype=np.bool_)
    lists = best_by_user(candidates, scores, every, LIST_LENGTH)
    found = (np.flatnonzero(candidates.item[rows] == item) for rows, item in zip(lists, wanted, strict=True))
    return [int(places[0]) + 1 if len(places) else 0 for places in found]


def _offered(candidates: Candidates, wanted: Ints) -> npt.NDArray[np.bool_]:
    offered = np.zeros((candidates.users, len(SOURCES)), dtype=np.bool_)
    hit = candidates.item == wanted[candidates.user]
    offered[candidates.user[hit]] = ~np.isnan(candidates.rank[hit])
    return offered


def _scores(ranks: Ints) -> Scores:
    return Scores(
        ndcg={k: _rounded(ndcg(ranks, k)) for k in CUTOFFS},
        hit_rate={k: _rounded(hit_rate(ranks, k)) for k in CUTOFFS},
        mrr={k: _rounded(mean_reciprocal_rank(ranks, k)) for k in CUTOFFS},
    )


def _rounded(value: float) -> float:
    return round(value, 5)
