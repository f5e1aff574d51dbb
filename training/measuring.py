"""One pass over the users with a held-out item: every method's lists, measured a block of users at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from scipy import sparse

from personalization.candidates import SOURCES, Candidates, History, is_positive
from personalization.events import Item
from personalization.model_tables import Floats, Tables
from personalization.profiles import Profile
from personalization.ranking import REASONS, best_by_user
from training.acts import Acts, Ints
from training.knowledge import Block, Knowledge
from training.metrics import (
    Doubles,
    average_precision,
    intra_list_diversity,
    mean_of_list,
    miscalibration,
    self_information,
)

CUTOFFS: Final = (5, 10, 20)
LIST_LENGTH: Final = max(CUTOFFS)
TOP: Final = 10
"""Cut-off of the comparisons and of everything beyond accuracy."""
EXAMPLES: Final = 5
EXAMPLE_ITEMS: Final = 5

Method = Callable[[Candidates, Floats], Doubles]
"""Candidates (c) and their features -> scores (c,), higher is better."""


class Recommended(msgspec.Struct, frozen=True):
    """An item of an example's list, by title or id, and why it is there."""

    item: str
    reason: str


class Example(msgspec.Struct, frozen=True):
    """What the model recommends one user, who stays nameless.

    Attributes
    ----------
    known
        Items the user had come to before the held-out one.
    history
        The newest of them, newest first.
    rank
        Of the held-out item in the model's list; 0 if it is not among the first `LIST_LENGTH`.
    """

    known: int
    history: tuple[str, ...]
    recommended: tuple[Recommended, ...]
    held_out: str
    rank: int


@dataclass(frozen=True)
class Catalogue:
    """What lists are measured by, beyond the held-out item.

    Attributes
    ----------
    known
        (users,), how many items each user of the log had come to; at least 1 for those with a label.
    popularity
        (n,), share of users who know each item.
    self_information
        (n,), of each item in bits.
    similarity
        (n, n), content cosines: symmetric, 0 between items of which neither is among the other's nearest.
    category
        (n,), -1 for none.
    """

    known: Ints
    popularity: Doubles
    self_information: Doubles
    similarity: sparse.csr_array
    category: Ints

    @classmethod
    def of(cls, tables: Tables, acts: Acts, users: int) -> "Catalogue":
        """Collect it from a stage's tables and the acts it may know; `users` are the whole log's."""
        firsts = acts.first_of_each_item()
        known = np.bincount(firsts.user, minlength=users)
        known_by = np.bincount(firsts.item, minlength=len(tables.items))
        active = int(np.count_nonzero(known))
        content = tables.similarities["content"]
        similarity = sparse.csr_array(content.maximum(content.T))
        similarity.sort_indices()
        surprise = self_information(known_by, active)
        return cls(known, known_by / max(active, 1), surprise, similarity, tables.category)


@dataclass(frozen=True)
class Lists:
    """A block's lists: rows of the candidates, and of their items in the tables.

    Both are (b, `LIST_LENGTH`), best first, -1 behind the end of a shorter list.
    """

    rows: Ints
    items: Ints

    @classmethod
    def of(cls, candidates: Candidates, scores: Doubles) -> "Lists":
        """Order the candidates by score."""
        every = np.ones(int(candidates.item.max(initial=0)) + 1, dtype=np.bool_)
        rows = np.full((candidates.users, LIST_LENGTH), -1, dtype=np.int64)
        for user, best in enumerate(best_by_user(candidates, scores, every, LIST_LENGTH)):
            rows[user, : len(best)] = best
        items = np.full_like(rows, -1)
        items[rows >= 0] = candidates.item[rows[rows >= 0]]
        return cls(rows, items)

    def ranks(self, wanted: Ints) -> Ints:
        """Return (b,) the place of each user's wanted item, from 1; 0 for not in the list."""
        hits = self.items == wanted[:, None]
        return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


@dataclass
class Mean:
    """The mean of what is added; NaN, a value that is not defined, is passed over."""

    total: float = 0.0
    count: int = 0

    def add(self, values: Doubles) -> None:
        """Take in a block's values."""
        known = values[~np.isnan(values)]
        self.total += float(known.sum())
        self.count += len(known)

    @property
    def value(self) -> float | None:
        """The mean; None if nothing was defined."""
        return self.total / self.count if self.count else None


@dataclass(frozen=True)
class Measures:
    """What one method's lists are like; added up a block at a time, but for the ranks.

    Attributes
    ----------
    exposure
        (n,), in how many users' first `TOP` each item is.
    ranks
        Of the held-out items, in blocks as they came.
    precision
        Average precision by cut-off.
    """

    exposure: Ints
    ranks: list[Ints] = field(default_factory=list)
    precision: dict[int, Mean] = field(default_factory=lambda: {k: Mean() for k in CUTOFFS})
    novelty: Mean = field(default_factory=Mean)
    popularity: Mean = field(default_factory=Mean)
    diversity: Mean = field(default_factory=Mean)
    miscalibration: Mean = field(default_factory=Mean)

    def add(self, lists: Lists, wanted: Ints, history: History, catalogue: Catalogue) -> None:
        """Measure a block's lists."""
        top = lists.items[:, :TOP]
        self.exposure[:] += np.bincount(top[top >= 0], minlength=len(self.exposure))
        self.ranks.append(lists.ranks(wanted))
        for k, mean in self.precision.items():
            mean.add(average_precision(lists.items == wanted[:, None], np.ones_like(wanted), k))
        self.novelty.add(mean_of_list(catalogue.self_information, top))
        self.popularity.add(mean_of_list(catalogue.popularity, top))
        self.diversity.add(intra_list_diversity(top, catalogue.similarity))
        self.miscalibration.add(miscalibration(top, history.weights, catalogue.category))


@dataclass(frozen=True)
class Measured:
    """What the pass found.

    Attributes
    ----------
    offered
        (users, len(SOURCES)), the label's place among what each source offers, from 1; 0 for not offered.
    """

    methods: Mapping[str, Measures]
    offered: Ints
    examples: tuple[Example, ...]

    def ranks(self, method: str) -> Ints:
        """Return (users,) the ranks of the held-out items."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self.methods[method].ranks])


def measure(
    knowledge: Knowledge, users: Ints, methods: Mapping[str, Method], catalogue: Catalogue, *, shown: str
) -> Measured:
    """Rank and measure labelled users' candidates by each method; `shown` is the examples' one."""
    items = len(knowledge.tables.items)
    measures = {method: Measures(np.zeros(items, dtype=np.int64)) for method in methods}
    chosen = evenly(users, EXAMPLES)
    examples: list[Example] = []
    offered = [np.zeros((0, len(SOURCES)), dtype=np.int64)]
    for block in knowledge.blocks(users):
        wanted, matrix = knowledge.labels.item[block.users], block.features()
        for method, score in methods.items():
            lists = Lists.of(block.candidates, score(block.candidates, matrix))
            measures[method].add(lists, wanted, block.history, catalogue)
            if method == shown:
                places = np.flatnonzero(np.isin(block.users, chosen)).tolist()
                examples += [_example(block, place, lists, wanted, catalogue) for place in places]
        offered.append(_offered(block.candidates, wanted))
    return Measured(measures, np.vstack(offered), tuple(examples))


def evenly(users: Ints, count: int) -> Ints:
    """Return at most so many users, evenly spread from the first to the last.

    >>> evenly(np.array([3, 5, 7, 9, 11]), 3).tolist()
    [3, 7, 11]
    """
    places = np.linspace(0, len(users) - 1, min(count, len(users))).astype(np.int64)
    return np.asarray(users[places])


def _offered(candidates: Candidates, wanted: Ints) -> Ints:
    offered = np.zeros((candidates.users, len(SOURCES)), dtype=np.int64)
    hit = candidates.item == wanted[candidates.user]
    offered[candidates.user[hit]] = np.nan_to_num(candidates.rank[hit], nan=0.0)
    return offered


def _example(block: Block, place: int, lists: Lists, wanted: Ints, catalogue: Catalogue) -> Example:
    items, rows = block.tables.items, lists.rows[place]
    rows = rows[rows >= 0][:EXAMPLE_ITEMS]
    sources = np.nanargmin(block.candidates.rank[rows], axis=1).tolist() if len(rows) else []
    return Example(
        known=int(catalogue.known[block.users[place]]),
        history=tuple(_named(items[row]) for row in _newest(block.profiles[place], block.tables)),
        recommended=tuple(
            Recommended(_named(items[row]), REASONS[SOURCES[source]])
            for row, source in zip(block.candidates.item[rows].tolist(), sources, strict=True)
        ),
        held_out=_named(items[wanted[place]]),
        rank=int(lists.ranks(wanted)[place]),
    )


def _newest(profile: Profile, tables: Tables) -> Sequence[int]:
    """Rows of the items of the latest positive acts, newest first."""
    liked = [(touch, item) for item, touch in profile.recent.items() if is_positive(touch[1], touch[2])]
    known = [tables.index[item] for _, item in sorted(liked, reverse=True) if item in tables.index]
    return known[:EXAMPLE_ITEMS]


def _named(item: Item) -> str:
    return item.title or item.item_id
