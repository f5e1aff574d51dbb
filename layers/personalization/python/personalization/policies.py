"""What becomes of a ranked list before it is stored: chosen by a variant, honoured by all who build lists."""

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]


class Policy(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a list is made of ranked candidates. The default one leaves them in order of relevance.

    Attributes
    ----------
    diversity
        From 0, relevance alone, to 1, variety alone (`reranking.arrange`).
    exploration
        Share of places that are drawn by chance instead of decided; their propensities are logged.
    new_items
        Share of any beginning of the list that new items may be lifted into.
    frequency_cap
        Items shown in vain in so many hours of the last week come after all others; 0 for no cap.
    category_share
        Share of any beginning of the list, rounded up, that one category may take, while there is another.
    only_categories, without_categories
        Items outside or inside of these never appear; empty for no rule.
    """

    diversity: Share = 0.0
    exploration: Share = 0.0
    new_items: Share = 0.0
    frequency_cap: Annotated[int, Meta(ge=0)] = 0
    category_share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    only_categories: tuple[str, ...] = ()
    without_categories: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell policies apart; empty for the default one.

        A field that is added later, with a default, changes no digest.

        >>> Policy().digest, Policy(diversity=0.25).digest
        ('', '8a50ff4a')
        """
        chosen = {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if value != getattr(RELEVANCE, name)
        }
        return blake2b(msgspec.json.encode(chosen), digest_size=4).hexdigest() if chosen else ""


RELEVANCE = Policy()
"""Candidates in order of relevance."""
