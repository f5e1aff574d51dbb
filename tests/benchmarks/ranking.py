"""Ranking with the default model: one user in a refresh, a hundred items, and a night's users in blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.rows import Row
from benchmarks.zipf_log import write_zipf_log
from personalization.builds import BY_RELEVANCE
from personalization.candidates import generate, history_of
from personalization.features import features
from personalization.lists import STORED_ITEMS
from personalization.model_tables import Floats
from personalization.names import Ranker
from personalization.profiles import Profile, at_seconds
from personalization.ranking import BLOCK_USERS, RANKER_FILE, Model, Scorer
from personalization.refreshing import build_list
from training.dataset import Dataset, make_dataset
from training.modelling import save_model, train_on
from training.settings import Settings
from training.sources import Rejects, exported_events, exported_items
from training.split import Stage

BEAUTY = Path(__file__).parents[3] / "shared" / "data" / "amazon-beauty"
CATALOGUE = 20_000
SINGLE = 500
ROUNDS = 5


class Watched:
    """A scorer that adds up its processor seconds."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.seconds = 0.0

    def predict(self, matrix: Floats) -> npt.NDArray[np.float64]:
        """Score rows."""
        before = process_time()
        scores = self._scorer.predict(matrix)
        self.seconds += process_time() - before
        return scores


def rows(events: int) -> Iterator[Row]:
    """Train the default model, on a log of so many events if there is no published one, and rank with it."""
    with TemporaryDirectory(prefix="bench-") as name:
        dataset, now = _dataset(Path(name), events)
        model = _model(Path(name) / "model", dataset, now)
        profiles = list(dataset.profiles[Stage.SERVE][slice(0, 4 * BLOCK_USERS)])
        yield _one_list(model, profiles, now)
        yield _night(model, profiles, now, _trees(Path(name) / "model"))


def _dataset(folder: Path, events: int) -> tuple[Dataset, datetime]:
    """Read a published log if it lies beside the project: in a made one there is less to learn."""
    log, catalogue = BEAUTY / "events.jsonl.gz", BEAUTY / "items.jsonl.gz"
    if not BEAUTY.is_dir():
        log, catalogue = write_zipf_log(folder, events=events, users=events // 10, items=CATALOGUE)
    source = partial(exported_events, [log], Rejects())
    dataset = make_dataset(source, exported_items(catalogue, Rejects()))
    now = dataset.log.last_at
    assert now is not None
    return dataset.with_recipe(Settings().recipe), now


def _model(folder: Path, dataset: Dataset, now: datetime) -> Model:
    settings = Settings()
    trained = train_on(dataset, seed=settings.seed, threads=1, ranker=settings.ranker)
    save_model(folder, trained, dataset.tables(Stage.SERVE), dataset, version="bench", now=now)
    return Model.load(folder)


def _one_list(model: Model, profiles: Sequence[Profile], now: datetime) -> Row:
    """Time a refresh's ranking: candidates, features, prediction, list. Promised is it for 100 items."""
    whole, floor, ranked = [], [], []
    for profile in profiles[:SINGLE]:
        before = perf_counter()
        build_list(model, profile, BY_RELEVANCE, now=now, list_id="list", seed=1)
        whole.append((perf_counter() - before) * 1000)
        matrix = _features(model, [profile], now)
        before = perf_counter()
        model.scorer.predict(matrix)
        floor.append((perf_counter() - before) * 1000)
        ranked.append(len(matrix))
    worst, bare = quantiles(whole, n=100)[98], quantiles(floor, n=100)[98]
    return Row(
        what=f"one user's list, {np.mean(ranked):.0f} items ranked, 99th percentile",
        figure=f"{worst:.1f} ms",
        against="LightGBM's predict of them",
        baseline=f"{bare:.1f} ms",
        ratio=worst / bare,
        target="10 ms",
        met=worst < 10,
    )


def _night(model: Model, profiles: Sequence[Profile], now: datetime, trees: str) -> Row:
    """Time a night's ranking, from profiles to encoded lists, against the prediction within it."""
    watched = Watched(model.scorer)
    timed = replace(model, scorer=watched)
    best = (float("inf"), 0.0)
    for _ in range(ROUNDS):
        watched.seconds, before = 0.0, process_time()
        lists = timed.recommend(profiles, ranker=Ranker.LIGHTGBM, now=now, limit=STORED_ITEMS)
        msgspec.json.encode(lists)
        best = min(best, (process_time() - before, watched.seconds))
    seconds, predicting = best
    return Row(
        what=f"a night's lists, users/s of one core; {trees}",
        figure=f"{len(profiles) / seconds:,.0f}",
        against="LightGBM's predict of the same rows",
        baseline=f"{len(profiles) / predicting:,.0f}",
        ratio=predicting / seconds,
        target="0.5 times",
        met=predicting >= 0.5 * seconds,
    )


def _features(model: Model, profiles: Sequence[Profile], now: datetime) -> Floats:
    history = history_of(profiles, model.tables)
    at = np.full(len(profiles), at_seconds(now))
    return features(generate(history, model.tables), profiles, history, model.tables, at)


def _trees(folder: Path) -> str:
    text = (folder / RANKER_FILE).read_text()
    return f"{text.count('Tree=')} trees of {text.partition('num_leaves=')[2].partition(chr(10))[0]} leaves"
