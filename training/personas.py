"""Names and one-line descriptions of segments, in plain words, from their standardised centroids.

The same centroids give the same words. A category's name is data: nothing but text, cut at
`MAX_CATEGORY`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from training.behaviour import (
    BUYING,
    CATEGORY,
    DAY_PARTS,
    DAYS,
    KINDS,
    PRICE,
    RECENCY,
    TENURE,
)
from training.metrics import Doubles

TELLING: Final = 0.35
"""Deviations from the mean of all users from which a trait is worth a word."""
MAX_CATEGORY: Final = 40
MAX_TRAITS: Final = 4
_NOUNS: Final = {
    "purchases": "buyers",
    "cart additions": "collectors of carts",
    "ratings": "raters",
    "likes": "fans",
    "browsing": "browsers",
}
"""Kind of act -> what people are called who do it more than others; the most deliberate first."""
_TRAITS: Final[Mapping[str, tuple[str, str]]] = {
    RECENCY: ("last seen longer ago", "seen more lately"),
    TENURE: ("known for longer", "newer"),
    DAYS: ("active on more days", "active on fewer days"),
    BUYING: ("a greater share of purchases", "a smaller share of purchases"),
    PRICE: ("dearer items", "cheaper items"),
} | {kind: (f"more {kind}", f"fewer {kind}" if kind.endswith("s") else f"less {kind}") for kind in KINDS}
"""Feature -> words for much and for little of it."""


def personas(names: Sequence[str], centroids: Doubles) -> list[tuple[str, str]]:
    """Return each segment's (name, description); `centroids` (k, d) are standardised, over `names`.

    Names are unique: those of equal words gain a trait that tells them apart, at last a number.
    """
    traits = [dict(zip(names, row.tolist(), strict=True)) for row in np.asarray(centroids)]
    told: list[str] = []
    for trait in traits:
        told.append(next(name for name in _names(trait) if name not in told))
    return [(name, _description(trait)) for name, trait in zip(told, traits, strict=True)]


def _names(trait: Mapping[str, float]) -> Iterator[str]:
    """Yield names from the shortest on, without end."""
    name = " ".join(filter(None, (_pace(trait), _noun(trait))))
    categories = {feature: value for feature, value in trait.items() if feature.startswith(CATEGORY)}
    if categories and max(categories.values()) >= TELLING:
        best = max(categories, key=lambda feature: (categories[feature], feature))
        name += f" of {_category(best)}"
    hours = {part: trait.get(part, 0.0) for part in DAY_PARTS}
    part = max(DAY_PARTS, key=lambda one: hours[one])
    if hours[part] >= TELLING:
        name += f", {part}"
    yield name
    for feature, value in _strongest(trait):
        name += f", {words(feature, value)}"
        yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _pace(trait: Mapping[str, float]) -> str:
    """One word on how often and how lately."""
    often = trait.get(DAYS, max((trait[kind] for kind in KINDS if kind in trait), default=0.0))
    if often >= TELLING:
        return "frequent"
    if trait.get(TENURE, 0.0) <= -1.0:
        return "new"
    if trait.get(RECENCY, 0.0) >= TELLING:
        return "lapsed"
    return "occasional" if often <= -TELLING else ""


def _noun(trait: Mapping[str, float]) -> str:
    """What they do more than others do; of equal kinds the most deliberate."""
    known = [kind for kind in _NOUNS if kind in trait]
    best = max(known, key=lambda kind: trait[kind], default="")
    return _NOUNS[best] if best and trait[best] >= TELLING else "visitors"


def _description(trait: Mapping[str, float]) -> str:
    told = [words(feature, value) for feature, value in _strongest(trait)]
    return f"Against all users: {', '.join(told)}." if told else "Much like all users."


def _strongest(trait: Mapping[str, float]) -> list[tuple[str, float]]:
    """The traits worth a word, the most unusual first, ties by name."""
    told = [(feature, value) for feature, value in trait.items() if abs(value) >= TELLING]
    return sorted(told, key=lambda entry: (-abs(entry[1]), entry[0]))[:MAX_TRAITS]


def words(feature: str, value: float) -> str:
    """Say that there is more or less of a feature than usual, by the sign of a value."""
    if feature in _TRAITS:
        return _TRAITS[feature][value < 0]
    amount = "less" if value < 0 else "more"
    return f"{amount} {_category(feature)}" if feature.startswith(CATEGORY) else f"{amount} in the {feature}"


def _category(feature: str) -> str:
    return " ".join(feature.removeprefix(CATEGORY).split())[:MAX_CATEGORY]
