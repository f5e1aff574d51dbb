"""What users get who are new: nothing is known of them but the facts of their first request.

Newcomers are the last users of a log to come. Lists are made from what the others did before the first of
them came; of later days only the segments' features know, through the profiles at hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from personalization.keys import segment_names
from personalization.model_tables import Tables
from personalization.profiles import Facts
from training.acts import Acts
from training.behaviour import Observed
from training.evaluation import Difference, difference
from training.measuring import TOP, evenly
from training.metrics import Ints, binary_ndcg
from training.segments import Segmentation, segment_users
from training.shared_lists import EVERYBODY, group_scores
from training.split import NEVER
from training.tables import popularity_at

SHARE: Final = 0.2
"""Of the users, by first act, who count as new."""
FIRST_ITEMS: Final = 5
"""So many of a newcomer's first items are what a list should hold."""
MAX_USERS: Final = 5_000
"""Newcomers evaluated, evenly spread: a bootstrap resamples them a thousand times."""
POPULAR: Final = "popular"
TRENDING: Final = "trending"
GROUPS: Final = "by facts"
SEGMENTS: Final = "by facts and segments"
"""What is published."""

Lists = Mapping[str, Ints]
"""Name of a group -> its first `TOP` items."""


class NewcomerScores(msgspec.Struct, frozen=True):
    """Quality of a kind of list, at cut-off `TOP`; relevant are a newcomer's first `FIRST_ITEMS` items."""

    ndcg: float
    hit_rate: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True):
    """How well newcomers are served.

    Attributes
    ----------
    users
        Newcomers evaluated.
    told
        Share of them whose facts have a list of their own; the others get everybody's.
    note
        What the log lacks; empty if nothing.
    methods
        Kind of list -> quality.
    differences
        Other kind -> NDCG that `SEGMENTS` has more, user by user.
    """

    users: int = 0
    told: float = 0.0
    note: str = ""
    methods: dict[str, NewcomerScores] = {}
    differences: dict[str, Difference] = {}


@dataclass(frozen=True)
class Newcomers:
    """The last users to come, *m* of them, and what happened before.

    Attributes
    ----------
    start
        Seconds since 1970 when the first of them came.
    users
        (m,), numbers in the log.
    items
        (m, FIRST_ITEMS), their first items; -1 behind the last of fewer.
    before
        The others' acts, [.., start).
    """

    start: int
    users: Ints
    items: Ints
    before: Acts

    @classmethod
    def of(cls, acts: Acts, users: int) -> "Newcomers":
        """Cut a log's acts; `users` are the whole log's."""
        came = np.full(users, NEVER)
        np.minimum.at(came, acts.user, acts.at)
        active = np.flatnonzero(came < NEVER)
        start = int(np.quantile(came[active], 1 - SHARE, method="higher")) if len(active) else NEVER
        new = active[came[active] >= start]
        chosen = evenly(new, MAX_USERS)
        return cls(start, chosen, _first_items(acts, chosen), acts.where(acts.at < start))


def _first_items(acts: Acts, users: Ints) -> Ints:
    firsts = acts.where(np.isin(acts.user, users)).first_of_each_item()
    row = np.searchsorted(users, firsts.user)
    place = np.arange(len(firsts)) - np.searchsorted(firsts.user, firsts.user)
    items = np.full((len(users), FIRST_ITEMS), -1, dtype=np.int64)
    early = place < FIRST_ITEMS
    items[row[early], place[early]] = firsts.item[early]
    return items


def evaluate_newcomers(acts: Acts, observed: Observed, tables: Tables) -> ColdStart:
    """Compare shared lists on users who came last. Cost linear in acts and users.

    Of newcomers nothing but their facts is used; `tables` give the catalogue only.
    """
    newcomers = Newcomers.of(acts, len(observed.facts))
    if not len(newcomers.before):
        return ColdStart(note="Nobody came before the newcomers: there is nothing to learn from.")
    known = np.zeros(len(observed.facts), dtype=np.bool_)
    known[newcomers.before.user] = True
    segmentation = segment_users(observed, among=known)
    tables = _as_of(newcomers, tables)
    lists: dict[str, Lists] = {
        POPULAR: {EVERYBODY: _available(tables, tables.popular)},
        TRENDING: {EVERYBODY: _available(tables, tables.trending)},
        GROUPS: _published(newcomers, segmentation, tables, personas=False),
        SEGMENTS: _published(newcomers, segmentation, tables, personas=True),
    }
    facts = [observed.facts[user] for user in newcomers.users.tolist()]
    return _compared(lists, facts, newcomers.items)


def _as_of(newcomers: Newcomers, tables: Tables) -> Tables:
    """Put in what popular and trending lists need, as of the cut."""
    popularity = popularity_at(newcomers.before, len(tables.items), newcomers.start)
    return replace(tables, at=newcomers.start, popularity=popularity)


def _published(
    newcomers: Newcomers, segmentation: Segmentation, tables: Tables, *, personas: bool
) -> dict[str, Ints]:
    """The lists as published at the cut; everybody's is the popular one if there are too few users."""
    popularity = tables.popularity[:, -1].astype(np.float64)
    scores = group_scores(newcomers.before, segmentation, popularity, newcomers.start, personas=personas)
    lists = {name: _available(tables, np.argsort(-values, kind="stable")) for name, values in scores}
    return {EVERYBODY: _available(tables, tables.popular)} | lists


def _available(tables: Tables, order: Ints) -> Ints:
    return order[tables.available[order]][:TOP]


def _compared(lists: Mapping[str, Lists], facts: Sequence[Facts], items: Ints) -> ColdStart:
    gains, hits = {}, {}
    for name, own in lists.items():
        found = _found(own, facts, items)
        gains[name], hits[name] = binary_ndcg(found, (items >= 0).sum(axis=1)), found.any(axis=1)
    told = [_list_name(lists[SEGMENTS], known) != EVERYBODY for known in facts]
    return ColdStart(
        users=len(items),
        told=_rounded(np.mean(told)),
        note="" if any(told) else "No facts are known of enough users: everybody gets everybody's list.",
        methods={
            name: NewcomerScores(_rounded(gain.mean()), _rounded(hits[name].mean()))
            for name, gain in gains.items()
        },
        differences={
            name: difference(gains[SEGMENTS] - gain) for name, gain in gains.items() if name != SEGMENTS
        },
    )


def _list_name(lists: Lists, known: Facts) -> str:
    """Name the list that the read path takes for a visitor."""
    return next(name for name in segment_names(known) if name in lists)


def _found(lists: Lists, facts: Sequence[Facts], items: Ints) -> npt.NDArray[np.bool_]:
    """(m, TOP), whether each place of a newcomer's list holds one of their items."""
    found = np.zeros((len(items), TOP), dtype=np.bool_)
    for row, known in enumerate(facts):
        shown = lists[_list_name(lists, known)]
        found[row, : len(shown)] = np.isin(shown, items[row])
    return found


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 5)
