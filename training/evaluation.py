"""Held-out quality: how high each method ranks the item that a user came to next, unseen by all of them."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from personalization import registry
from personalization.candidates import SOURCES, Candidates
from personalization.features import FEATURES
from personalization.model_tables import Floats
from personalization.ranking import LightGbmScorer, Scorer, covisitation_scores, read_metadata
from training import metrics
from training.acts import ActLog, Ints
from training.drift import Drift, drift_by_tenths
from training.knowledge import Knowledge
from training.measuring import (
    CUTOFFS,
    TOP,
    Catalogue,
    Example,
    Measured,
    Measures,
    Method,
    evenly,
    measure,
)
from training.metrics import Doubles, gains, mean_interval
from training.split import known_to, stops_training
from training.tradeoff import TradeOff, trade_off

MAX_EVALUATED_USERS: Final = 30_000
EARLY: Final = 20
"""Recall of sources is measured at their own size, and at this one, which is the same for all."""
GROUPS: Final = {"new": (1, 3), "casual": (4, 10), "heavy": (11, None)}
"""User group -> fewest and most items a user had come to before the held-out one; every user is in one."""
MODEL: Final = registry.THE_MODEL
CHAMPION: Final = "the model in service"
COVISITATION: Final = "co-visitation"
POPULARITY: Final = "popularity"


class Scores(msgspec.Struct, frozen=True):
    """One method's quality: accuracy by metric and cut-off, `{"ndcg": {"10": 0.05}}`, and the lists' nature.

    Attributes
    ----------
    map
        Mean average precision; equals `mrr`, as there is one relevant item a user.
    coverage
        Share of the catalogue among anyone's first `TOP`; the other attributes are of the first `TOP` too.
    novelty
        Mean self-information of the items, in bits.
    popularity
        Average recommendation popularity (Abdollahpouri, Burke and Mobasher, 2019): mean share of users who
        know an item.
    popularity_lift
        `popularity` against that of the held-out items, less 1 (after Abdollahpouri et al., 2020, who compare
        with the history): 0 is no bias, 1 is twice as popular as what users came to.
    diversity
        Mean of 1 - cosine of content within a list; None if no item is like another.
    miscalibration
        Mean divergence of a list's categories from the user's history's; None without categories.
    """

    ndcg: dict[int, float]
    hit_rate: dict[int, float]
    mrr: dict[int, float]
    map: dict[int, float] = {}
    coverage: float | None = None
    novelty: float | None = None
    popularity: float | None = None
    popularity_lift: float | None = None
    diversity: float | None = None
    miscalibration: float | None = None


class Difference(msgspec.Struct, frozen=True):
    """NDCG@10 of one method minus that of a rival, user by user: mean and 95% bootstrap interval."""

    mean: float
    low: float
    high: float


class Estimate(msgspec.Struct, frozen=True):
    """A metric's mean over users and its 95% bootstrap interval."""

    mean: float
    low: float
    high: float


class GroupScores(msgspec.Struct, frozen=True):
    """One method's quality for one group of users, at cut-off `TOP`."""

    ndcg: Estimate
    hit_rate: Estimate


class UserGroup(msgspec.Struct, frozen=True):
    """Users who are known equally well.

    Attributes
    ----------
    fewest, most
        Items a user had come to before the held-out one; `most` is None for no limit.
    methods
        Method -> quality; empty if the group is.
    """

    fewest: int
    most: int | None
    users: int
    methods: dict[str, GroupScores]


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
    recall_added_by_source
        Source -> share of users whose item it alone offers: what the ceiling would lose without it.
    drift
        How far what the model recommends is from what the one in service does, by tenths of popularity.
    early_recall_by_source, early_recall_added_by_source
        The same of each source's first `EARLY` only.
    offered_by_source
        Source -> how many items it offers a user; 0 for a source that is off.
    groups
        Name of `GROUPS` -> users and quality.
    examples
        Users evenly spread over those evaluated, not chosen by success.
    trade_off
        What the model's lists are like as diversity grows; empty without content.
    """

    users: int
    methods: dict[str, Scores]
    differences: dict[str, Difference]
    recall_by_source: dict[str, float]
    recall_added_by_source: dict[str, float] = {}
    drift: Drift | None = None
    early_recall_by_source: dict[str, float] = {}
    early_recall_added_by_source: dict[str, float] = {}
    offered_by_source: dict[str, int] = {}
    groups: dict[str, UserGroup] = {}
    examples: tuple[Example, ...] = ()
    trade_off: tuple[TradeOff, ...] = ()


def rankers_of(model: Path, champion: Path | None = None, *, threads: int) -> dict[str, Scorer]:
    """Load the rankers of a model's folder and of the model in service's.

    A champion that isn't there, or that was trained on other features than are computed now, is left out.
    """
    rankers: dict[str, Scorer] = {MODEL: LightGbmScorer(model, threads)}
    metadata = None if champion is None else read_metadata(champion)
    if champion is not None and metadata is not None and metadata.features == FEATURES:
        rankers[CHAMPION] = LightGbmScorer(champion, threads)
    return rankers


def evaluate(log: ActLog, knowledge: Knowledge, rankers: Mapping[str, Scorer]) -> Evaluation:
    """Rank each user's candidates at the time of their held-out item, by each ranker and both baselines.

    `knowledge` is that of stage *test*. All see the same candidates, of tables that don't know the held-out
    items. At most `MAX_EVALUATED_USERS` are taken, evenly spread over the keys: the cost is bounded, and by
    then the intervals are narrow.
    """
    acts = known_to(knowledge.labels, log.acts)
    catalogue = Catalogue.of(knowledge.tables, acts, len(log.users))
    methods: dict[str, Method] = {method: partial(_predict, scorer) for method, scorer in rankers.items()}
    methods |= {COVISITATION: _covisitation, POPULARITY: _popularity}
    labelled = knowledge.labels.users
    users = evenly(labelled[~stops_training(log.users, labelled)], MAX_EVALUATED_USERS)
    measured = measure(knowledge, users, methods, catalogue, shown=MODEL)
    usual = float(catalogue.popularity[knowledge.labels.item[users]].sum()) / max(len(users), 1)
    ranks = {method: measured.ranks(method) for method in methods}
    recall, added = recall_of_sources(measured.offered > 0)
    early, early_added = recall_of_sources((measured.offered > 0) & (measured.offered <= EARLY))
    return Evaluation(
        users=len(users),
        methods={
            method: _scores(ranks[method], found, catalogue, usual)
            for method, found in measured.methods.items()
        },
        differences={rival: compare(ranks[MODEL], ranks[rival]) for rival in ranks if rival != MODEL},
        recall_by_source=recall,
        recall_added_by_source=added,
        drift=_drift(measured, catalogue),
        early_recall_by_source=early,
        early_recall_added_by_source=early_added,
        offered_by_source={source: knowledge.tables.recipe.offered[source] for source in SOURCES},
        groups=_groups(catalogue.known[users], ranks),
        examples=measured.examples,
        trade_off=trade_off(knowledge, users, rankers[MODEL], catalogue) if MODEL in rankers else (),
    )


def _drift(measured: Measured, catalogue: Catalogue) -> Drift | None:
    """Compare whose items are shown, by how popular they are; None without a model in service."""
    if CHAMPION not in measured.methods:
        return None
    shown, before = (measured.methods[method].exposure for method in (MODEL, CHAMPION))
    users = len(measured.ranks(MODEL))
    return drift_by_tenths(catalogue.popularity, before, shown, (users, users))


def _predict(scorer: Scorer, _: Candidates, matrix: Floats) -> Doubles:
    return scorer.predict(matrix)


def _covisitation(candidates: Candidates, _: Floats) -> Doubles:
    return covisitation_scores(candidates)


def _popularity(candidates: Candidates, _: Floats) -> Doubles:
    return np.nan_to_num(candidates.score[:, SOURCES.index("popular")], nan=-1.0).astype(float)


def compare(model: Ints, rival: Ints) -> Difference:
    """Compare two methods by their ranks of the same users' items."""
    return difference(gains(model, TOP) - gains(rival, TOP))


def difference(gained: Doubles) -> Difference:
    """Estimate what one method has more NDCG than another, user by user, by a paired percentile bootstrap."""
    if len(gained) < 2:
        return Difference(0.0, -1.0, 1.0)
    low, high = mean_interval(gained)
    return Difference(_rounded(float(gained.mean())), _rounded(low), _rounded(high))


def recall_of_sources(offered: npt.NDArray[np.bool_]) -> tuple[dict[str, float], dict[str, float]]:
    """Return each source's recall alone, with that of `any`, and what it adds to all the others'.

    `offered` is (users, len(SOURCES)), which sources offer each user's item.
    """
    users = max(len(offered), 1)
    alone = offered & (offered.sum(axis=1) == 1)[:, None]
    recall = dict(zip(SOURCES, (offered.sum(axis=0) / users).tolist(), strict=True))
    recall["any"] = float(offered.any(axis=1).sum() / users)
    added = dict(zip(SOURCES, (alone.sum(axis=0) / users).tolist(), strict=True))
    return (
        {source: _rounded(share) for source, share in recall.items()},
        {source: _rounded(share) for source, share in added.items()},
    )


def _groups(known: Ints, ranks: Mapping[str, Ints]) -> dict[str, UserGroup]:
    """`known` (users,) is how many items each user had come to."""
    groups = {}
    for name, (fewest, most) in GROUPS.items():
        inside = known >= fewest
        if most is not None:
            inside &= known <= most
        users = int(inside.sum())
        scores = {method: _group_scores(found[inside]) for method, found in ranks.items()} if users else {}
        groups[name] = UserGroup(fewest, most, users, scores)
    return groups


def _group_scores(ranks: Ints) -> GroupScores:
    gained = gains(ranks, TOP)
    return GroupScores(ndcg=_estimate(gained), hit_rate=_estimate((gained > 0).astype(float)))


def _estimate(values: Doubles) -> Estimate:
    """`values` (users,), one at least, lie between 0 and 1, and so do the ends of the interval."""
    low, high = mean_interval(values)
    return Estimate(_rounded(float(values.mean())), _rounded(max(low, 0.0)), _rounded(min(high, 1.0)))


def _scores(ranks: Ints, found: Measures, catalogue: Catalogue, usual: float) -> Scores:
    """`usual` is the mean popularity of the held-out items."""
    popularity = found.popularity.value
    lift = popularity / usual - 1 if popularity is not None and usual else None
    return Scores(
        ndcg={k: _rounded(metrics.ndcg(ranks, k)) for k in CUTOFFS},
        hit_rate={k: _rounded(metrics.hit_rate(ranks, k)) for k in CUTOFFS},
        mrr={k: _rounded(metrics.mean_reciprocal_rank(ranks, k)) for k in CUTOFFS},
        map={k: _rounded(found.precision[k].value or 0.0) for k in CUTOFFS},
        coverage=_rounded(metrics.catalogue_coverage(found.exposure)),
        novelty=_known(found.novelty.value),
        popularity=_known(popularity),
        popularity_lift=_known(lift),
        diversity=_known(found.diversity.value) if catalogue.similarity.nnz else None,
        miscalibration=_known(found.miscalibration.value),
    )


def _known(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return round(value, 5)
