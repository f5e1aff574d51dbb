"""Candidates: for each user of a block, the items worth ranking, with every source's score and rank.

A source scores items for a user's history by one sparse product, or by factors, and offers its best. The
union is ranked: an item that one source offers has the scores of all. Cost for a block: linear in its history
times `NEIGHBOURS`, and for the factors in users times items, or times a search's depth in a large catalogue.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.entries import Entries
from personalization.events import EventType
from personalization.factors import affinity, fold_in, nearest
from personalization.model_tables import Floats, Ints, Tables
from personalization.profiles import CODES, Profile
from personalization.recipe import DEFAULT_OFFERED

SOURCES: Final = tuple(DEFAULT_OFFERED)
LOW_RATING_TENTHS: Final = 25
"""A rating of 2.5 or less is no reason to show more of the same."""

ACT_WEIGHTS: Final = {
    EventType.VIEW: 0.5,
    EventType.CLICK: 1.0,
    EventType.DWELL: 1.0,
    EventType.LIKE: 2.0,
    EventType.RATING: 2.0,
    EventType.ADD_TO_CART: 2.0,
    EventType.PURCHASE: 3.0,
}
"""What an act says for its item."""
WEIGHT_OF_CODE: Final = {CODES[kind]: weight for kind, weight in ACT_WEIGHTS.items()}
_RATING_CODE: Final = CODES[EventType.RATING]


@dataclass(frozen=True)
class History:
    """The histories of a block of *b* users over a catalogue of *n* items.

    Attributes
    ----------
    weights
        (b, n) sparse: each known item's weight, decayed by its place from the newest.
    whole
        (b, n) sparse: the same without decay.
    last
        (b, n) sparse: the same of the recipe's `last_items` only.
    excluded
        (b, n) sparse, positive for items never to be recommended to the user.
    newest, previous
        (b,) row of the newest known item, and of the one before; -1 for none.
    """

    weights: sparse.csr_array
    whole: sparse.csr_array
    last: sparse.csr_array
    excluded: sparse.csr_array
    newest: Ints
    previous: Ints


@dataclass(frozen=True)
class Candidates:
    """*c* candidates of a block of *b* users, ordered by user and then by item row.

    Attributes
    ----------
    user, item
        (c,), place in the block and row in the tables.
    score
        (c, len(SOURCES)); 0 where a personal source knows nothing for the item, NaN where a shared one does
        not offer it.
    rank
        (c, len(SOURCES)), from 1; NaN where the source does not offer the item.
    users
        *b*.
    items
        Items of the catalogue.
    """

    user: Ints
    item: Ints
    score: Floats
    rank: Floats
    users: int
    items: int

    @property
    def codes(self) -> Ints:
        """(c,), what they have in `Entries`; ascending."""
        return self.user * self.items + self.item

    def where(self, kept: npt.NDArray[np.bool_]) -> "Candidates":
        """Return the candidates a mask (c,) keeps, for the same users."""
        return replace(
            self, user=self.user[kept], item=self.item[kept], score=self.score[kept], rank=self.rank[kept]
        )


def is_positive(code: int, tenths: int) -> bool:
    """Whether an act says that the user likes the item; a low rating does not."""
    return code in WEIGHT_OF_CODE and not (code == _RATING_CODE and tenths <= LOW_RATING_TENTHS)


def history_of(
    profiles: Sequence[Profile],
    tables: Tables,
    *,
    repeat: bool = False,
    owned: sparse.csr_array | None = None,
) -> History:
    """Look up the profiles' recent acts in the tables; items the tables don't know are passed over.

    Excluded are items the user has acted on lately, bought, rated or disliked (with `repeat` only the
    disliked); unavailable ones are left to the caller. A profile remembers the newest `MAX_OWNED` only: a
    caller that has the whole log gives all of them as `owned`, (b, n), non-zero where bought or rated.
    """
    known: list[tuple[int, int, float, float, int]] = []
    excluded: list[tuple[int, int]] = []
    latest = np.full((2, len(profiles)), -1, dtype=np.int64)
    recipe = tables.recipe
    for user, profile in enumerate(profiles):
        place = 0
        for item_id, (_, code, tenths) in newest_first(profile):
            row = tables.index.get(item_id)
            if row is None:
                continue
            if not repeat:
                excluded.append((user, row))
            if is_positive(code, tenths):
                weight = WEIGHT_OF_CODE[code]
                known.append((user, row, weight * recipe.history_decay**place, weight, place))
                if place < len(latest):
                    latest[place, user] = row
                place += 1
        excluded += _never(user, profile, tables, repeat=repeat)
    shape = (len(profiles), len(tables.items))
    never = _matrix(np.array([(*pair, 1.0) for pair in set(excluded)]), shape)
    if owned is not None and not repeat:
        never = sparse.csr_array(never + owned)
    acts = np.array(known).reshape(-1, 5)
    return History(
        weights=_matrix(acts[:, [0, 1, 2]], shape),
        whole=_matrix(acts[:, [0, 1, 3]], shape),
        last=_matrix(acts[acts[:, 4] < recipe.last_items][:, [0, 1, 2]], shape),
        excluded=never,
        newest=latest[0],
        previous=latest[1],
    )


def newest_first(profile: Profile) -> list[tuple[str, tuple[int, int, int]]]:
    """Return the profile's recent acts, (item, (at, code, tenths)), the newest first."""
    return sorted(profile.recent.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)


def _never(user: int, profile: Profile, tables: Tables, *, repeat: bool) -> list[tuple[int, int]]:
    rows = [tables.index[item] for item in profile.disliked if item in tables.index]
    if not repeat:
        rows += [row for hashed in profile.owned for row in tables.rows_by_hash.get(hashed, ())]
    return [(user, row) for row in rows]


def _matrix(entries: npt.NDArray[np.float64], shape: tuple[int, int]) -> sparse.csr_array:
    """Build a matrix of rows (user, item, value), each place at most once."""
    users, items, values = entries.reshape(-1, 3).T
    order = np.lexsort((items, users))
    starts = np.searchsorted(users[order], np.arange(shape[0] + 1))
    data, columns = values[order].astype(np.float32), items[order].astype(np.int32)
    return sparse.csr_array((data, columns, starts.astype(np.int32)), shape=shape)


def generate(history: History, tables: Tables, *, off: Collection[str] = ()) -> Candidates:
    """Collect the candidates of every source, but for those that are off, for a block of users."""
    offered = {name: 0 if name in off else count for name, count in tables.recipe.offered.items()}
    excluded = Entries.of(history.excluded)
    linked = {
        name: Entries.of((history.last if name == "transition" else history.weights) @ matrix)
        for name, matrix in tables.similarities.items()
    }
    vectors = fold_in(history.weights, tables.factors, tables.gram)
    factors = tables.factors if tables.factor_index else tables.exact_factors
    near = nearest(vectors, factors, history.excluded, offered["factors"], tables.factor_index)
    found = _union(
        {
            **{
                name: (*known.without(excluded).strongest(offered[name]), np.nan)
                for name, known in linked.items()
            },
            "factors": (*near, np.nan),
            "popular": _shared_offer(tables.popular, history.excluded, offered["popular"]),
            "trending": _shared_offer(tables.trending, history.excluded, offered["trending"]),
        },
        history.weights.shape,
    )
    for name, known in linked.items():
        found.score[:, SOURCES.index(name)] = known.at(found.codes)
    found.score[:, SOURCES.index("factors")] = affinity(vectors, tables.factors, found.user, found.item)
    return found


Offer = tuple[Ints, Ints, Floats | float]
"""(users, item rows, scores), ordered by user and best first."""


def _shared_offer(order: Ints, excluded: sparse.csr_array, count: int) -> Offer:
    """The first items of one order that a user may see; at most as many are skipped as are excluded."""
    users_count = excluded.shape[0]
    reach = count + int(np.diff(excluded.indptr).max(initial=0))
    top = order[:reach]
    place_of = np.full(excluded.shape[1], -1, dtype=np.int64)
    place_of[top] = np.arange(len(top))
    hidden = np.zeros((users_count, len(top)), dtype=np.bool_)
    rows = np.repeat(np.arange(users_count), np.diff(excluded.indptr))
    places = place_of[excluded.indices]
    hidden[rows[places >= 0], places[places >= 0]] = True
    kept = ~hidden & (np.cumsum(~hidden, axis=1) <= count)
    users, columns = np.nonzero(kept)
    return users, top[columns], (1.0 / (1.0 + columns)).astype(np.float32)


def _union(offers: Mapping[str, Offer], shape: tuple[int, int]) -> Candidates:
    codes = [offers[source][0] * shape[1] + offers[source][1] for source in SOURCES]
    unique, inverse = np.unique(np.concatenate(codes), return_inverse=True)
    score = np.full((len(unique), len(SOURCES)), np.nan, dtype=np.float32)
    rank = np.full_like(score, np.nan)
    start = 0
    for place, source in enumerate(SOURCES):
        users, _, scores = offers[source]
        target = inverse[start : start + len(users)]
        score[target, place] = scores
        rank[target, place] = _ranks(users, shape[0])
        start += len(users)
    return Candidates(unique // shape[1], unique % shape[1], score, rank, *shape)


def _ranks(users: Ints, count: int) -> Floats:
    """Place of each row within its user, from 1; `users` is sorted."""
    starts = np.concatenate(([0], np.cumsum(np.bincount(users, minlength=count))))[:-1]
    return (np.arange(len(users)) - starts[users] + 1).astype(np.float32)
