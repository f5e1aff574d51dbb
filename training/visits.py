"""Simulates visits to a synthetic shop: a slate is shown, some of it is clicked, some of that bought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from personalization.events import EventType
from training.shop import Doubles, Ints, Shop

SLATE: Final = 10
VISITS_A_DAY: Final = 0.42
BOTS: Final = 0.01
"""Crawlers, as a share of the users; they visit eight times as often."""
_BOT_VISITS: Final = 8
_BOT_CLICKS: Final = 0.3
_BROWSING: Final = 4.0
"""How strongly people browse the categories they like."""
_KINDS: Final = (
    EventType.IMPRESSION,
    EventType.CLICK,
    EventType.VIEW,
    EventType.DWELL,
    EventType.ADD_TO_CART,
    EventType.PURCHASE,
    EventType.RATING,
    EventType.LIKE,
)


@dataclass(frozen=True)
class Visits:
    """What happened: *m* events over *s* slates.

    Attributes
    ----------
    kind, user, item, slate, position, at, value
        (m,): index into `kinds`, rows of the shop, row of `slates`, place from 0, seconds, dwell, price or
        rating (0 for none). Users beyond the shop's are bots. The item of an impression is -1.
    slates
        (s, SLATE) items in order of place; -1 for a place left empty.
    """

    kind: Ints
    user: Ints
    item: Ints
    slate: Ints
    position: Ints
    at: Doubles
    value: Doubles
    slates: Ints
    kinds: tuple[EventType, ...] = _KINDS

    def shown(self, row: int) -> list[int]:
        """Items of the slate an event belongs to."""
        return [item for item in self.slates[self.slate[row]].tolist() if item >= 0]


def visit(shop: Shop, *, days: int, chance: np.random.Generator) -> Visits:
    """Simulate `days` days. Cost linear in visits."""
    users = _visitors(shop, days, chance)
    slates = _slates(shop, users, chance)
    day = chance.integers(days, size=len(users)) * 86_400
    start = day + chance.triangular(6, 20, 24, size=len(users)) * 3600
    slate, position = np.nonzero(slates >= 0)
    user, item = users[slate], slates[slate, position]
    bot = user >= len(shop.tastes)
    person = np.where(bot, 0, user)
    likely = np.where(bot, _BOT_CLICKS, shop.clicks(person, item, position))
    clicked = chance.random(len(item)) < likely
    acts = _Funnel(shop, chance, user[clicked], item[clicked], slate[clicked], position[clicked])
    shown = np.arange(len(users))
    impressions = _Rows(0, users, np.full(len(users), -1), shown, np.zeros_like(shown), start)
    return _together([impressions, *acts.rows(start)], slates)


def _visitors(shop: Shop, days: int, chance: np.random.Generator) -> Ints:
    """(s,) the user of each slate: a few people come often, most seldom, bots all the time."""
    people = len(shop.tastes)
    bots = max(1, round(people * BOTS))
    activity = chance.lognormal(-0.3, 0.8, size=people)
    rate = np.concatenate((activity, np.full(bots, _BOT_VISITS))) * VISITS_A_DAY * days
    return np.repeat(np.arange(people + bots), chance.poisson(rate))


def _slates(shop: Shop, users: Ints, chance: np.random.Generator) -> Ints:
    """(s, SLATE): half of a slate from a category the user browses, half popular, in any order.

    An item shown once is not shown again; slates that this leaves shorter end in -1.
    """
    people = len(shop.tastes)
    liking = np.exp(_BROWSING * shop.tastes @ shop.centres.T)
    liking = np.vstack((liking, np.ones((1, liking.shape[1]))))[np.minimum(users, people)]
    order = np.argsort(shop.category, kind="stable")
    weight = np.cumsum(np.exp(shop.appeal[order]))
    ends = np.searchsorted(shop.category[order], np.arange(len(shop.centres)), side="right")
    top = np.concatenate(([0.0], weight[ends - 1]))
    browsed = (
        chance.random((len(users), 1)) * liking.sum(axis=1, keepdims=True) > liking.cumsum(axis=1)
    ).sum(axis=1)
    low, high = top[browsed][:, None], top[browsed + 1][:, None]
    half = SLATE // 2
    within = low + (high - low) * chance.random((len(users), half))
    anywhere = weight[-1] * chance.random((len(users), SLATE - half))
    slates = order[np.searchsorted(weight, np.hstack((within, anywhere)))]
    slates = chance.permuted(slates, axis=1)
    earlier = np.tril(slates[:, :, None] == slates[:, None, :], k=-1).any(axis=2)
    kept = np.where(earlier, -1, slates)
    return np.take_along_axis(kept, np.argsort(earlier, axis=1, kind="stable"), axis=1)


@dataclass(frozen=True)
class _Rows:
    kind: int
    user: Ints
    item: Ints
    slate: Ints
    position: Ints
    at: Doubles
    value: Doubles | None = None


@dataclass(frozen=True)
class _Funnel:
    """What follows a click; the better an item meets its user, the more."""

    shop: Shop
    chance: np.random.Generator
    user: Ints
    item: Ints
    slate: Ints
    position: Ints

    def rows(self, start: Doubles) -> list[_Rows]:
        shop, chance, size = self.shop, self.chance, len(self.user)
        bot = self.user >= len(shop.tastes)
        worth = shop.utility(np.where(bot, 0, self.user), self.item)
        liked = 1.0 / (1.0 + np.exp(3.5 - worth))
        clicked_at = start[self.slate] + 3 + 25 * self.position + chance.uniform(0, 5, size)
        seconds = np.exp(chance.normal(2.2, 0.6, size) + liked)
        price = np.exp(shop.price[self.item])
        stars = np.clip(np.round(1.2 + worth / 1.4 + chance.normal(0, 0.7, size)), 1, 5)
        viewed = ~bot & (chance.random(size) < 0.45)
        dwelt = ~bot & (chance.random(size) < 0.35)
        carted = ~bot & (chance.random(size) < 0.5 * liked)
        bought = carted & (chance.random(size) < 0.5)
        rated = bought & (chance.random(size) < 0.4)
        fond = ~bot & (chance.random(size) < 0.1 * liked)
        return [
            self._some(1, np.ones(size, dtype=np.bool_), clicked_at),
            self._some(2, viewed, clicked_at + 1),
            self._some(3, dwelt, clicked_at + seconds, seconds),
            self._some(4, carted, clicked_at + 8),
            self._some(5, bought, clicked_at + 300, price),
            self._some(6, rated, clicked_at + 600, stars),
            self._some(7, fond, clicked_at + 6),
        ]

    def _some(
        self, kind: int, mask: npt.NDArray[np.bool_], at: Doubles, value: Doubles | None = None
    ) -> _Rows:
        return _Rows(
            kind,
            self.user[mask],
            self.item[mask],
            self.slate[mask],
            self.position[mask],
            at[mask],
            None if value is None else value[mask],
        )


def _together(parts: Sequence[_Rows], slates: Ints) -> Visits:
    values = [np.zeros(len(part.user)) if part.value is None else part.value for part in parts]
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at, kind="stable")
    return Visits(
        kind=np.concatenate([np.full(len(part.user), part.kind) for part in parts])[order],
        user=np.concatenate([part.user for part in parts])[order],
        item=np.concatenate([part.item for part in parts])[order],
        slate=np.concatenate([part.slate for part in parts])[order],
        position=np.concatenate([part.position for part in parts])[order],
        at=at[order],
        value=np.concatenate(values)[order],
        slates=slates,
    )
