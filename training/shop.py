"""A synthetic shop: users with hidden tastes, items that meet them or not, and what a click depends on.

The same seed and sizes make the same shop, so a simulation can be continued, and judged against the truth,
without its tastes ever being written down.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from personalization.events import Item

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STYLES: Final = ("calm", "bold", "rustic", "sleek", "playful", "classic", "airy", "warm")
"""One word for each dimension of taste; items are tagged with their strongest two."""
GOODS: Final = (
    *("lamp", "chair", "rug", "vase", "clock", "mirror", "shelf", "desk", "sofa", "quilt", "mug", "kettle"),
    *("basket", "candle", "planter", "curtain", "stool", "tray", "frame", "pillow", "hook", "bowl", "bench"),
)
COUNTRIES: Final = ("DE", "FR", "GB", "US")
DEVICES: Final = ("desktop", "mobile", "tablet")
REFERRERS: Final = (
    "",
    "https://www.google.com/search?q=gifts",
    "https://l.instagram.com/",
    "newsletter",
    "cpc",
)
"""What clients send of where a visit came from: addresses, words, and nothing for a direct one."""
_ITEMS_PER_CATEGORY: Final = 40
_INTEREST: Final = 0.15
_FAVOURED: Final = 3.0
"""How much likelier a category is to interest somebody of a country, or a referrer, that favours it."""
_SPENDING: Final = (0.1, -0.2, 0.3)
"""What a device tells of its owner's budget, as natural logarithms in the order of `DEVICES`."""
_AFFINITY: Final = 5.0
_PRICE: Final = 0.8
_RELUCTANCE: Final = 4.2


@dataclass(frozen=True)
class Shop:
    """A shop of *u* users and *n* items in *c* categories, with *d* hidden dimensions of taste.

    Attributes
    ----------
    tastes, vectors, centres
        (u, d), (n, d) and (c, d), rows of length 1: users, items and categories.
    category
        (n,), each item's category.
    appeal
        (n,), what everybody likes about an item.
    price, budget
        (n,) and (u,), as natural logarithms.

    Where users live, where they come from and what they browse with hints at taste and budget, as it does in
    real shops.
    """

    tastes: Doubles
    vectors: Doubles
    centres: Doubles
    category: Ints
    appeal: Doubles
    price: Doubles
    budget: Doubles

    @classmethod
    def open(cls, *, seed: int, users: int, items: int) -> Self:
        """Make the shop of a seed and sizes; equal arguments make equal shops."""
        chance = np.random.default_rng([seed, users, items])
        size = len(STYLES)
        centres = _unit(chance.normal(size=(min(len(GOODS), 4 + items // _ITEMS_PER_CATEGORY), size)))
        category = chance.integers(len(centres), size=items)
        interests = _interests(users, len(centres), chance)
        level = chance.normal(3.0, 0.6, size=len(centres))
        return cls(
            tastes=_unit(interests @ centres + 0.15 * chance.normal(size=(users, size))),
            vectors=_unit(centres[category] + 0.25 * chance.normal(size=(items, size))),
            centres=centres,
            category=category,
            appeal=0.8 * chance.normal(size=items),
            price=level[category] + 0.4 * chance.normal(size=items),
            budget=chance.normal(3.0, 0.5, size=users) + np.array(_SPENDING)[device_of(np.arange(users))],
        )

    @cached_property
    def user_ids(self) -> tuple[str, ...]:
        """Ids of the users, in order."""
        return tuple(f"user-{number:05d}" for number in range(len(self.tastes)))

    @cached_property
    def item_ids(self) -> tuple[str, ...]:
        """Ids of the items, in order."""
        return tuple(f"item-{number:05d}" for number in range(len(self.vectors)))

    @cached_property
    def _rows(self) -> dict[str, int]:
        pairs = (*enumerate(self.user_ids), *enumerate(self.item_ids))
        return {identifier: row for row, identifier in pairs}

    def catalogue(self) -> list[Item]:
        """Describe the items as a shop would; tags and category hint at tastes, as they do in real shops."""
        styles = np.argsort(-self.vectors, axis=1)[:, :2]
        return [
            Item(
                item_id=item_id,
                title=f"{STYLES[first].capitalize()} {GOODS[category]} {row + 1}",
                tags=(STYLES[first], STYLES[second]),
                category=GOODS[category],
                price=_money(price),
            )
            for row, (item_id, (first, second), category, price) in enumerate(
                zip(self.item_ids, styles.tolist(), self.category.tolist(), self.price.tolist(), strict=True)
            )
        ]

    def utility(self, users: Ints, items: Ints) -> Doubles:
        """What items are worth to users, pair by pair: (m,), (m,) -> (m,)."""
        affinity = np.einsum("md,md->m", self.tastes[users], self.vectors[items])
        pain = np.abs(self.price[items] - self.budget[users])
        worth: Doubles = _AFFINITY * affinity + self.appeal[items] - _PRICE * pain
        return worth

    def oracle_scores(self, user_id: str) -> Doubles:
        """Return the truth that a model can only guess: (n,), each item's worth to a user.

        >>> shop = Shop.open(seed=1, users=3, items=5)
        >>> shop.oracle_scores("user-00002").shape
        (5,)
        """
        items = np.arange(len(self.vectors))
        return self.utility(np.full(len(items), self._rows[user_id]), items)

    def click_probability(self, user_id: str, item_id: str, position: int) -> float:
        """Return how likely a user clicks an item shown at a position, counted from 0."""
        pair = np.array([self._rows[user_id]]), np.array([self._rows[item_id]])
        return float(self.clicks(*pair, np.array([position]))[0])

    def clicks(self, users: Ints, items: Ints, positions: Ints) -> Doubles:
        """Click probabilities (m,): the chance to look at a position times the chance to like the item."""
        return examination(positions) * _sigmoid(self.utility(users, items) - _RELUCTANCE)


def country_of[Rows: (int, Ints)](users: Rows) -> Rows:
    """Place in `COUNTRIES` of a user, or of each of some."""
    return users % 7 % len(COUNTRIES)


def device_of[Rows: (int, Ints)](users: Rows) -> Rows:
    """Place in `DEVICES` of a user, or of each of some."""
    return users % 5 % len(DEVICES)


def referrer_of[Rows: (int, Ints)](users: Rows) -> Rows:
    """Place in `REFERRERS` of a user, or of each of some."""
    return users % 11 % len(REFERRERS)


def _interests(users: int, categories: int, chance: np.random.Generator) -> Doubles:
    """(u, c), rows that sum to 1: Dirichlet, with more weight on what country and referrer favour."""
    everybody, every = np.arange(users)[:, None], np.arange(categories)
    favoured = (every % len(COUNTRIES) == country_of(everybody)).astype(float)
    favoured += every % len(REFERRERS) == referrer_of(everybody)
    weight = chance.gamma(_INTEREST * (1 + _FAVOURED * favoured))
    interests: Doubles = weight / weight.sum(axis=1, keepdims=True)
    return interests


def examination(positions: Ints) -> Doubles:
    """Chance that a user looks at a position at all, 1 / log2(position + 2)."""
    chance: Doubles = 1.0 / np.log2(positions + 2.0)
    return chance


def _sigmoid(values: Doubles) -> Doubles:
    chance: Doubles = 1.0 / (1.0 + np.exp(-values))
    return chance


def _unit(rows: Doubles) -> Doubles:
    unit: Doubles = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _money(logarithm: float) -> float:
    return round(float(np.exp(logarithm)), 2)
