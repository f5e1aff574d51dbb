"""Ranking: a loaded model turns profiles into lists, a night's users and one who just acted alike."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.candidates import (
    SOURCES,
    Candidates,
    History,
    generate,
    history_of,
    is_positive,
    newest_first,
)
from personalization.errors import ModelError
from personalization.features import FEATURES, features
from personalization.lists import CERTAIN, ListItem
from personalization.model_tables import Floats, Tables, load_tables
from personalization.names import Ranker
from personalization.policies import RELEVANCE, Policy
from personalization.profiles import Profile, at_seconds
from personalization.registry import METADATA_FILE, Metadata
from personalization.reranking import Slate
from personalization.slates import Reranker

BLOCK_USERS: Final = 512
RANKER_FILE: Final = "ranker.txt"
TABLES_FOLDER: Final = "tables"
REASONS: Final = {
    "covisitation": "others_also_liked",
    "transition": "often_next",
    "content": "similar_to_what_you_like",
    "propagation": "others_also_liked",
    "autoencoder": "others_also_liked",
    "factors": "matches_your_taste",
    "popular": "popular",
    "trending": "trending",
}
"""Reason code by the source that ranks an item highest."""
_REASON_OF: Final = tuple(REASONS[source] for source in SOURCES)


class Scorer(Protocol):
    """A trained ranker: features in, scores out."""

    def predict(self, matrix: Floats) -> npt.NDArray[np.float64]:
        """Score rows (c, len(FEATURES)) -> (c,); higher is better."""
        ...


def read_metadata(folder: Path) -> Metadata | None:
    """Read the metadata of a model's folder; None if it holds none.

    Raises
    ------
    ModelError
        The file is not what it should be.
    """
    path = folder / METADATA_FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Metadata)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"the model's metadata can't be read: {error}") from error


@dataclass(frozen=True)
class Model:
    """Tables and ranker of one version."""

    metadata: Metadata
    tables: Tables
    scorer: Scorer

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> "Model":
        """Read a model's folder.

        Raises
        ------
        ModelError
            Files are missing, or the ranker was trained on other features than this code computes.
        """
        metadata = read_metadata(folder)
        if metadata is None:
            raise ModelError(f"{folder.name} holds no {METADATA_FILE}")
        if metadata.features != FEATURES:
            raise ModelError(f"model {metadata.version} has other features than this version of Attune")
        return cls(metadata, load_tables(folder / TABLES_FOLDER), LightGbmScorer(folder, threads))

    @property
    def version(self) -> str:
        """The model's version."""
        return self.metadata.version

    def recommend(
        self,
        profiles: Sequence[Profile],
        *,
        ranker: Ranker,
        now: datetime,
        limit: int,
        policy: Policy = RELEVANCE,
        seeds: Sequence[int] = (),
        sources_off: Collection[str] = (),
        repeat: bool = False,
        owned: sparse.csr_array | None = None,
    ) -> list[tuple[ListItem, ...]]:
        """Rank items for each profile, best first; ties go to the item earlier in the catalogue.

        Unavailable items and items the user acted on lately, bought, rated or disliked are left out (`repeat`
        allows all but the disliked). Cost a user: about 250 candidates, whatever the catalogue's size.

        Parameters
        ----------
        policy
            Re-ranks what the ranker ordered; the default one leaves it as it is.
        seeds
            One a profile, for what the policy draws; without them all users draw alike.
        sources_off
            Sources that offer nothing; what they know of the others' candidates counts in the ranking still.
        owned
            (profiles, items), non-zero for what was bought or rated, from a caller who knows more than the
            profiles' newest; see `history_of`.
        """
        lists: list[tuple[ListItem, ...]] = []
        for block in batched(profiles, BLOCK_USERS, strict=False):
            known = None if owned is None else owned[len(lists) : len(lists) + len(block)]
            history = history_of(block, self.tables, repeat=repeat, owned=known)
            candidates = generate(history, self.tables, off=sources_off)
            scores = self._scores(candidates, block, history, ranker=ranker, now=now)
            drawn = seeds[len(lists) : len(lists) + len(block)]
            slates = self._slates(candidates, scores, block, policy, drawn, now=now, limit=limit)
            lists += [self._items(candidates, scores, slate) for slate in slates]
        return lists

    def because(self, profile: Profile) -> str | None:
        """Return the title of the item the user acted on last, of those the model knows; None without one."""
        for item_id, (_, code, tenths) in newest_first(profile):
            row = self.tables.index.get(item_id)
            if row is not None and is_positive(code, tenths):
                return self.tables.items[row].title
        return None

    def _scores(
        self,
        candidates: Candidates,
        profiles: Sequence[Profile],
        history: History,
        *,
        ranker: Ranker,
        now: datetime,
    ) -> npt.NDArray[np.float64]:
        if ranker is not Ranker.LIGHTGBM:
            return covisitation_scores(candidates)
        at = np.full(len(profiles), at_seconds(now))
        return self.scorer.predict(features(candidates, profiles, history, self.tables, at))

    def _slates(
        self,
        candidates: Candidates,
        scores: npt.NDArray[np.float64],
        profiles: Sequence[Profile],
        policy: Policy,
        seeds: Sequence[int],
        *,
        now: datetime,
        limit: int,
    ) -> Iterator[Slate]:
        """Yield each user's rows of the candidates, as they are shown."""
        if policy == RELEVANCE:
            for best in best_by_user(candidates, scores, self.tables.available, limit):
                yield Slate(best, np.ones(len(best)))
            return
        reranker = Reranker(self.tables, policy, at_seconds(now))
        everybodys = best_by_user(candidates, scores, reranker.admitted(candidates))
        for best, profile, seed in zip(everybodys, profiles, seeds or [0] * len(profiles), strict=True):
            yield reranker.shelf(candidates, scores, best, profile).slate(policy, limit, seed)

    def _items(
        self, candidates: Candidates, scores: npt.NDArray[np.float64], slate: Slate
    ) -> tuple[ListItem, ...]:
        rows = zip(
            candidates.item[slate.order].tolist(),
            np.round(scores[slate.order], 4).tolist(),
            np.argmin(np.nan_to_num(candidates.rank[slate.order], nan=np.inf), axis=1).tolist(),
            slate.propensity.tolist(),
            strict=True,
        )
        items = self.tables.items
        return tuple(
            ListItem(
                item_id=items[row].item_id,
                score=score,
                reason=_REASON_OF[source],
                title=items[row].title,
                category=items[row].category,
                price=items[row].price,
                propensity=CERTAIN if propensity == CERTAIN else float(f"{propensity:.6g}"),
            )
            for row, score, source, propensity in rows
        )


class LightGbmScorer:
    """A LightGBM ranker read from its text file; the library is imported with the first model."""

    def __init__(self, folder: Path, threads: int) -> None:
        from personalization.boosting import lightgbm  # noqa: PLC0415 - over a second of import, and not every caller ranks

        try:
            self._booster = lightgbm.Booster(model_file=folder / RANKER_FILE)
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(f"the ranker can't be read: {error}") from error
        self._options: Mapping[str, Any] = {"num_threads": threads}

    def predict(self, matrix: Floats) -> npt.NDArray[np.float64]:
        """Score rows (c, len(FEATURES)) -> (c,)."""
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self._booster.predict(matrix, **self._options), dtype=np.float64)


def covisitation_scores(candidates: Candidates) -> npt.NDArray[np.float64]:
    """Order by co-visitation; items without it come after, the most popular first. (c,)."""
    covisitation = np.nan_to_num(candidates.score[:, SOURCES.index("covisitation")], nan=0.0)
    popular = np.nan_to_num(candidates.score[:, SOURCES.index("popular")], nan=0.0)
    return covisitation.astype(np.float64) + 1e-6 * popular


def best_by_user(
    candidates: Candidates,
    scores: npt.NDArray[np.float64],
    available: npt.NDArray[np.bool_],
    limit: int | None = None,
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield, for each user of the block in order, the rows of their best or all candidates, best first."""
    order = np.lexsort((candidates.item, -scores, candidates.user))
    order = order[available[candidates.item[order]]]
    starts = np.searchsorted(candidates.user[order], np.arange(candidates.users + 1))
    for user in range(candidates.users):
        yield order[starts[user] : starts[user + 1]][:limit]
