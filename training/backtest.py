"""Replays a log's past: at each of several moments train on what was known, and rank for what came next.

``python -m training.backtest --events FILE... --items FILE [--cuts 8]``

Unlike the held-out items of a training's own report, nothing later than a moment is known of anybody: this is
what nights in production would have been like. The moments split the log into runs of equally many events;
what is relevant to a user are the items they newly came to until the next moment.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import sparse

from personalization.candidates import is_positive
from personalization.events import Event, EventType, Item
from personalization.factors import fold_in, nearest
from personalization.model_tables import Tables
from personalization.names import Ranker
from personalization.profiles import CODES, at_seconds
from personalization.ranking import Model
from training.acts import Ints
from training.dataset import Dataset, make_dataset
from training.evaluation import difference
from training.metrics import binary_ndcg
from training.modelling import save_model, train_on
from training.persons import holder_of
from training.ranker import NothingToLearnError
from training.sources import Rejects, Source, exported_events, exported_items
from training.split import Stage

TOP: Final = 10
MODEL, POPULARITY, ALS, COVISITATION = "model", "popularity", "ALS alone", "co-visitation alone"
_NOBODY: Final = (
    "no user has enough earlier events and comes to something relevant later; ask for fewer with --earlier, "
    "or for a lower --rating"
)
_console = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Question:
    """Who is asked, and what is relevant to them.

    Attributes
    ----------
    earlier
        Fewest events a user must have before the moment.
    rating
        Least rating that makes an item relevant; other positive acts always do.
    """

    earlier: int = 5
    rating: float = 4.0

    def relevant(self, event: Event) -> bool:
        """Whether an event says that its item was worth recommending."""
        if event.item_id is None or event.bot:
            return False
        if event.event_type is EventType.RATING:
            return (event.value or 0.0) >= self.rating
        return is_positive(CODES[event.event_type], 0)


@dataclass
class Backtest:
    """Pooled results.

    Attributes
    ----------
    users
        Of each answer, by key; a user may answer at several moments.
    gains
        Method -> NDCG@`TOP` of each answer.
    skipped
        Moments before which there was too little to learn from.
    """

    users: list[str] = field(default_factory=list)
    gains: dict[str, list[float]] = field(default_factory=dict)
    skipped: int = 0

    def add(self, wanted: Mapping[str, set[str]], lists: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Take in a moment's answers: of each method, the items listed for each user."""
        users = sorted(wanted)
        self.users += users
        count = np.array([len(wanted[user]) for user in users], dtype=np.int64)
        for method, shown in lists.items():
            hits = np.zeros((len(users), TOP), dtype=np.bool_)
            for row, user in enumerate(users):
                hits[row, : len(shown[user])] = [item in wanted[user] for item in shown[user]]
            self.gains.setdefault(method, []).extend(binary_ndcg(hits, count).tolist())

    def table(self) -> Table:
        """Lay out the means, and what the model has more."""
        title = f"{len(self.users):,} answers of {len(set(self.users)):,} users"
        table = Table("method", f"NDCG@{TOP}", "the model has more (95%)", title=title)
        model = np.array(self.gains.get(MODEL, []))
        for method, gains in self.gains.items():
            gap = difference(model - np.array(gains))
            sign = "" if gap.low > 0 or method == MODEL else ": not for certain"
            more = "" if method == MODEL else f"{gap.low:+.4f} to {gap.high:+.4f}{sign}"
            table.add_row(method, f"{np.mean(gains):.4f}" if gains else "", more)
        return table


def moments(times: Ints, count: int) -> list[int]:
    """Return so many moments that split events at `times` (seconds) into equally many, in order.

    >>> moments(np.arange(0, 100, 10), 4)
    [20, 40, 60, 80]
    """
    ordered = np.sort(times)
    places = [round(len(ordered) * number / (count + 1)) for number in range(1, count + 1)]
    return sorted({int(ordered[place]) for place in places if place < len(ordered)})


def backtest(
    source: Source, items: Sequence[Item], question: Question, *, cuts: int, seed: int, threads: int
) -> Backtest:
    """Train and ask at each moment. Cost: a reading of the log and a training a moment."""
    times = np.array([at_seconds(event.received_at) for event in source()], dtype=np.int64)
    ends = [*moments(times, cuts), int(times.max(initial=0)) + 1]
    found = Backtest()
    for start, end in track(list(pairwise(ends)), "training on the past", console=_console):
        past, later = partial(_between, source, 0, start), _between(source, start, end)
        dataset = make_dataset(past, items)
        merged_into = dataset.log.merged_into
        earlier = Counter(holder_of(event.user_key, merged_into) for event in past())
        wanted = _wanted(later, dataset, question, earlier)
        try:
            lists = _lists(dataset, sorted(wanted), _moment(start), seed=seed, threads=threads)
        except NothingToLearnError:
            found.skipped += 1
            continue
        found.add(wanted, lists)
    return found


def _between(source: Source, start: int, end: int) -> Iterator[Event]:
    return (event for event in source() if start <= at_seconds(event.received_at) < end)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _wanted(
    later: Iterable[Event], dataset: Dataset, question: Question, earlier: Mapping[str, int]
) -> dict[str, set[str]]:
    """User -> ids of the new items relevant to them, of users with enough earlier events."""
    log = dataset.log
    known = {
        (log.users[user], log.items[item].item_id) for user, item in zip(*_known(dataset).coords, strict=True)
    }
    wanted: dict[str, set[str]] = {}
    for event in later:
        if event.item_id is not None and question.relevant(event):
            user = holder_of(event.user_key, log.merged_into)
            if (user, event.item_id) not in known and earlier.get(user, 0) >= question.earlier:
                wanted.setdefault(user, set()).add(event.item_id)
    return wanted


def _known(dataset: Dataset) -> sparse.coo_array:
    """(users, items), what a user has acted on or bought or rated: no method recommends it."""
    log = dataset.log
    shape = len(log.users), len(log.items)
    return sparse.coo_array(log.acts.matrix(*shape) + log.owned.matrix(*shape))


def _lists(
    dataset: Dataset, users: Sequence[str], now: datetime, *, seed: int, threads: int
) -> dict[str, dict[str, list[str]]]:
    """Method -> user -> the first `TOP` item ids."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        trained = train_on(dataset, seed=seed, threads=threads)
        save_model(folder, trained, dataset.tables(Stage.SERVE), dataset, version="backtest", now=now)
        model = Model.load(folder, threads=threads)
    number = {user: place for place, user in enumerate(dataset.log.users)}
    rows = np.array([number[user] for user in users], dtype=np.int64)
    known = sparse.csr_array(_known(dataset))[rows]
    profiles = dataset.profiles[Stage.SERVE].at(rows.tolist())
    lists: dict[str, dict[str, list[str]]] = {}
    for method, ranker in {MODEL: Ranker.LIGHTGBM, COVISITATION: Ranker.COVISITATION}.items():
        shown = model.recommend(profiles, ranker=ranker, now=now, limit=TOP, owned=known)
        ids = ([item.item_id for item in one] for one in shown)
        lists[method] = dict(zip(users, ids, strict=True))
    for method, found in {ALS: _als(model.tables, known), POPULARITY: _popular(model.tables, known)}.items():
        ids = ([model.tables.items[item].item_id for item in one] for one in found)
        lists[method] = dict(zip(users, ids, strict=True))
    return lists


def _als(tables: Tables, known: sparse.csr_array) -> Iterator[list[int]]:
    """The nearest items to each user's vector, which is of all they acted on, without decay."""
    user, item = nearest(fold_in(known, tables.factors, tables.gram), tables.factors, known, TOP)
    starts = np.searchsorted(user, np.arange(known.shape[0] + 1))
    return (item[start:end].tolist() for start, end in pairwise(starts))


def _popular(tables: Tables, known: sparse.csr_array) -> Iterator[list[int]]:
    for user in range(known.shape[0]):
        own = known.indices[known.indptr[user] : known.indptr[user + 1]]
        first = tables.popular[: TOP + len(own)]
        yield first[~np.isin(first, own)][:TOP].tolist()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a backtest and print its table; returns 0, or 1 with a message that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m training.backtest", description=__doc__)
    parser.add_argument("--events", type=Path, nargs="+", required=True, help="JSONL, or JSONL.gz")
    parser.add_argument("--items", type=Path, help="JSONL, or JSONL.gz")
    parser.add_argument("--cuts", type=int, default=8, help="moments at which the past is trained on")
    parser.add_argument("--earlier", type=int, default=5, help="fewest events of a user before the moment")
    parser.add_argument("--rating", type=float, default=4.0, help="least rating of a relevant item")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    missing = [str(path) for path in [*options.events, options.items] if path and not path.is_file()]
    if missing:
        _console.print(f"there is no file {', '.join(missing)}", style="red", markup=False)
        return 1
    items = exported_items(options.items, Rejects()) if options.items else []
    source = partial(exported_events, options.events, Rejects())
    question = Question(options.earlier, options.rating)
    found = backtest(source, items, question, cuts=options.cuts, seed=options.seed, threads=options.threads)
    if not found.users:
        _console.print(_NOBODY, style="red", markup=False)
        return 1
    if found.skipped:
        _console.print(f"{found.skipped} moments are left out: too little came before", style="yellow")
    Console(soft_wrap=True).print(found.table())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
