"""What a user's profile says about their behaviour, as numbers that can be compared.

Counts and times are taken as log(1 + x); shares of a whole as square roots (Hellinger's distance), which
keeps a rare category from outweighing everything. Hours are UTC.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log1p, sqrt
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.events import EventType, Item
from personalization.profiles import CODES, Facts, Profile
from training.metrics import Doubles, Ints

TOP_CATEGORIES: Final = 10
"""Taste is told by the categories that most users came to; the others are nobody's."""
OUTLIER: Final = 3.0
"""Standard deviations beyond which a user is no more unlike the others."""
UNUSUAL: Final = 0.01
"""Share of the users whose value of a feature is pulled in, at either end."""
KINDS: Final[Mapping[str, tuple[EventType, ...]]] = {
    "browsing": (EventType.VIEW, EventType.CLICK, EventType.DWELL),
    "likes": (EventType.LIKE,),
    "ratings": (EventType.RATING,),
    "cart additions": (EventType.ADD_TO_CART,),
    "purchases": (EventType.PURCHASE,),
}
"""Name of a kind of act -> the events that are of it."""
RECENCY, TENURE, DAYS, BUYING, PRICE = "recency", "tenure", "active days", "share of purchases", "price"
DAY_PARTS: Final = ("nights", "mornings", "afternoons", "evenings")
"""Quarters of the day from midnight."""
CATEGORY: Final = "category:"
"""Prefix of the feature of a category."""
_PLAIN: Final = (RECENCY, TENURE, DAYS, *KINDS, BUYING, PRICE)


@dataclass(frozen=True)
class Behaviour:
    """Some users who dealt with an item, *n*, side by side.

    Attributes
    ----------
    names
        *d* names of features that differ between users.
    users
        (n,), their numbers.
    values
        (n, d), standardised: mean 0 and deviation 1, cut at `OUTLIER`; 0 where nothing is known.
    """

    names: tuple[str, ...]
    users: Ints
    values: Doubles

    @property
    def weighted(self) -> Doubles:
        """`values` divided by the root of how many columns tell of the same matter: each weighs as much.

        How often somebody comes and acts is one matter, the parts of the day are one, and so are categories.
        """
        sizes = Counter(map(_matter, self.names))
        weighted: Doubles = self.values / np.sqrt([sizes[_matter(name)] for name in self.names])
        return weighted


def _matter(name: str) -> str:
    if name in DAY_PARTS:
        return "hours"
    if name.startswith(CATEGORY):
        return "taste"
    return "frequency" if name in (DAYS, *KINDS) else name


@dataclass(frozen=True)
class Observed:
    """What profiles say about *u* users, of whom *n* dealt with an item.

    Attributes
    ----------
    facts
        *u*, what a visitor's first request would tell, also of users without acts.
    users
        (n,), numbers of those with acts.
    table
        (n, features), as they are; NaN where nothing is known.
    tastes
        Categories of the same users' items.
    """

    facts: Sequence[Facts]
    users: Ints
    table: Doubles
    tastes: "_Tastes"

    def compare(self, among: npt.NDArray[np.bool_] | None = None) -> Behaviour:
        """Put the users with acts side by side, or those of a mask (u,): of others nothing is used."""
        rows = np.arange(len(self.users)) if among is None else np.flatnonzero(among[self.users])
        top, shares = self.tastes.shares(rows)
        values, kept = _standardised(np.hstack((self.table[rows], shares)))
        names = (*_PLAIN, *DAY_PARTS, *(f"{CATEGORY}{name}" for name in top))
        told = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
        return Behaviour(told, self.users[rows], values)


def observe(profiles: Iterable[Profile], items: Sequence[Item], at: int) -> Observed:
    """Read each profile once, as of `at` (seconds since 1970).

    Cost linear in users: 4 s per 100,000. Memory 8 bytes a feature and user.

    Everybody who dealt with an item counts, however long ago: recency is part of the picture.
    """
    catalogue = {item.item_id: item for item in items}
    once: dict[Facts, Facts] = {}
    facts: list[Facts] = []
    users, rows, tastes = array("q"), array("d"), _Tastes()
    for number, profile in enumerate(profiles):
        known = profile.facts
        facts.append(once.setdefault(known, known))
        if profile.recent:
            users.append(number)
            rows.extend(_plain(profile, catalogue, at))
            rows.extend(_day_parts(profile))
            tastes.add(_categories(profile, catalogue))
    table = np.array(rows).reshape(len(users), len(_PLAIN) + len(DAY_PARTS))
    return Observed(facts, np.array(users, dtype=np.int64), table, tastes)


@dataclass(frozen=True)
class _Tastes:
    """How many recent items of each category each of *n* users has, 12 bytes an entry."""

    codes: dict[str, int] = field(default_factory=dict)
    code: "array[int]" = field(default_factory=lambda: array("i"))
    share: "array[float]" = field(default_factory=lambda: array("d"))
    ends: "array[int]" = field(default_factory=lambda: array("q", [0]))

    def add(self, counts: Counter[str]) -> None:
        """Take in the next user."""
        for name, count in counts.items():
            self.code.append(self.codes.setdefault(name, len(self.codes)))
            self.share.append(count / counts.total())
        self.ends.append(len(self.code))

    def shares(self, rows: Ints) -> tuple[list[str], Doubles]:
        """Return what most of some users (m,) came to, ties by name, and (m, so many) roots of its shares."""
        ends = np.array(self.ends)
        shape = (len(ends) - 1, len(self.codes))
        whole = sparse.csr_array(
            (np.sqrt(self.share), np.array(self.code, dtype=np.int64), ends), shape=shape
        )
        chosen = whole[rows]
        users = np.bincount(chosen.indices, minlength=len(self.codes)).tolist()
        met = [name for name, code in self.codes.items() if users[code]]
        top = sorted(met, key=lambda name: (-users[self.codes[name]], name))[:TOP_CATEGORIES]
        return top, chosen[:, [self.codes[name] for name in top]].toarray()


def _plain(profile: Profile, catalogue: Mapping[str, Item], now: int) -> list[float]:
    counts = [sum(profile.totals[CODES[kind]] for kind in kinds) for kinds in KINDS.values()]
    prices = [
        log1p(item.price)
        for name in profile.recent
        if (item := catalogue.get(name)) and item.price is not None
    ]
    return [
        log1p(max(now - profile.last_at, 0) / 86_400),
        log1p(max(now - profile.first_at, 0) / 86_400),
        log1p(sum(1 for day in profile.days.values() if day[1])),
        *map(log1p, counts),
        profile.totals[CODES[EventType.PURCHASE]] / max(sum(counts), 1),
        median(prices) if prices else np.nan,
    ]


def _day_parts(profile: Profile) -> list[float]:
    counts = [0] * len(DAY_PARTS)
    for at, _, _ in profile.recent.values():
        counts[at % 86_400 * len(DAY_PARTS) // 86_400] += 1
    return [sqrt(count / len(profile.recent)) for count in counts]


def _categories(profile: Profile, catalogue: Mapping[str, Item]) -> Counter[str]:
    """Count the recent items by category, else by first tag, as `Tables.category` does."""
    found = (catalogue[name] for name in profile.recent if name in catalogue)
    names = (item.category or (item.tags[0] if item.tags else "") for item in found)
    return Counter(name for name in names if name)


def _standardised(table: Doubles) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    """Return the columns that vary, standardised, and which they are; NaN becomes the mean."""
    values = np.zeros_like(table)
    kept = np.zeros(table.shape[1], dtype=np.bool_)
    for place, column in enumerate(table.T):
        known = ~np.isnan(column)
        usual = _usual(column[known])
        if usual.std() > 1e-9:
            values[known, place] = (usual - usual.mean()) / usual.std()
            kept[place] = True
    return np.clip(values[:, kept], -OUTLIER, OUTLIER), kept


def _usual(values: Doubles) -> Doubles:
    """Pull the outermost hundredth on either side in (winsorize): a few absurd counts move no mean."""
    if not len(values):
        return np.zeros(1)
    low = np.quantile(values, UNUSUAL, method="higher")
    high = np.quantile(values, 1 - UNUSUAL, method="lower")
    return np.clip(values, low, high)
