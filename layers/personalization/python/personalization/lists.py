"""Recommendation lists as stored and as chosen from: what the read path needs and nothing else."""

from collections.abc import Collection
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from personalization.errors import CorruptData
from personalization.names import DEFAULT_LABEL, TITLE, Ranker
from personalization.policies import RELEVANCE, Policy
from personalization.profiles import Profile, item_hash

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 50
STORED_ITEMS: Final = 60
"""Three times the usual limit, so that filters don't empty a list."""

CERTAIN: Final = 1.0
"""Propensity of a place that was not left to chance; this very object is not stored."""


class ListItem(Struct, frozen=True, omit_defaults=True):
    """One recommended item with what the response shows.

    Attributes
    ----------
    propensity
        With what probability the item got its place, given the items before it (`reranking.Slate`).
    """

    item_id: str
    score: float
    reason: str = ""
    title: str | None = None
    category: str | None = None
    price: float | None = None
    propensity: float = CERTAIN


class RecommendationList(Struct, frozen=True, kw_only=True):
    """A ranked list, best first.

    Attributes
    ----------
    list_id
        Unique to this build of the list.
    revision
        `Profile.revision` the list was built from; 0 for lists of many users.
    built_at
        Seconds since 1970.
    policy
        How the items were arranged.
    because
        Title of the item that the user acted on last; None where it is not known.
    """

    list_id: str
    model_version: str
    ranker: Ranker | None
    revision: int
    built_at: int
    items: Annotated[tuple[ListItem, ...], Meta(max_length=200)]
    policy: Policy = RELEVANCE
    because: str | None = None

    def label(self, template: str) -> str:
        """Fill in a label; the default one stands for a label whose title is not known."""
        if TITLE not in template:
            return template
        return template.replace(TITLE, self.because) if self.because else DEFAULT_LABEL


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RecommendationList)


def encode_list(recommendations: RecommendationList) -> bytes:
    """Serialize a list as MessagePack; about 60 bytes an item, and 20 more if its place was drawn."""
    return _encoder.encode(recommendations)


def decode_list(data: bytes) -> RecommendationList:
    """Read what `encode_list` wrote.

    Raises
    ------
    CorruptData
        Not a list.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(str(error)) from None


def choose(
    items: tuple[ListItem, ...],
    *,
    limit: int,
    profile: Profile | None = None,
    unavailable: Collection[str] = frozenset(),
    exclude: Collection[str] = frozenset(),
) -> list[ListItem]:
    """Take the first `limit` items the user may see, in order.

    Left out: items they bought or rated, disliked, unavailable items, and the caller's own `exclude`.
    """
    owned = profile.owned if profile else {}
    disliked = profile.disliked if profile else {}
    chosen: list[ListItem] = []
    for item in items:
        if len(chosen) == limit:
            break
        if item.item_id in unavailable or item.item_id in exclude or item.item_id in disliked:
            continue
        if item_hash(item.item_id) not in owned:
            chosen.append(item)
    return chosen
