"""A model's recipe: how its tables are counted and how many candidates each source offers.

It rests beside the tables, so that whoever ranks with a model finds candidates as its training did; a tuned
model differs from the default by its recipe alone.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=100)]
Offer = Annotated[int, Meta(ge=0, le=1_000)]

DEFAULT_OFFERED: Final[Mapping[str, int]] = {
    "covisitation": 120,
    "transition": 80,
    "content": 60,
    "propagation": 60,
    "autoencoder": 60,
    "factors": 60,
    "popular": 40,
    "trending": 20,
}
"""Source -> how many items it offers a user, the order of every source's column."""


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of candidates; those of the ranker itself are LightGBM's.

    Attributes
    ----------
    offered
        Source -> how many items it offers a user. A source that offers none is off as such: it still
        scores what others offer.
    history_decay
        Weight of a history item against the one after it.
    last_items
        How many of the latest items the transitions start from.
    pair_window, pair_decay
        Items of a user's sequence this far apart still count as seen together, the nearer the more.
    transition_window, transition_decay
        The same for what comes after what.
    damping
        Similarities are divided by both ends' popularity to this power: 0 counts, 0.5 is a cosine.
    encoder, encoder_weight
        Name and version of the sentence encoder that content similarity knows meaning by, if any, and what
        its cosines weigh against those of words.
    """

    offered: dict[str, Offer] = msgspec.field(default_factory=lambda: dict(DEFAULT_OFFERED))
    history_decay: Share = 0.85
    last_items: Count = 2
    pair_window: Count = 12
    pair_decay: Share = 0.85
    transition_window: Count = 4
    transition_decay: Share = 0.5
    damping: Share = 0.5
    encoder: str | None = None
    encoder_weight: Annotated[float, Meta(ge=0)] = 0.5

    def counts_as(self, other: "Recipe") -> bool:
        """Whether both count the same tables; they may find other candidates in them."""
        return all(getattr(self, name) == getattr(other, name) for name in _COUNTING)


_COUNTING: Final = ("pair_window", "pair_decay", "transition_window", "transition_decay", "damping")
