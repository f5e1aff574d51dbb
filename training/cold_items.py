"""What items get that are new: hardly anybody has acted on them, so only their content tells of them."""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from personalization.candidates import SOURCES
from training.acts import Acts
from training.knowledge import Knowledge
from training.measuring import evenly
from training.split import known_to

KNOWN_TO: Final = 1
"""An item that at most so many users came to before is new."""
CONTENT: Final = "content"
MAX_USERS: Final = 5_000
"""Users evaluated, evenly spread."""


class ColdItems(msgspec.Struct, frozen=True, kw_only=True):
    """How new items fare among the candidates of users with a held-out item.

    Attributes
    ----------
    items
        New items of the catalogue.
    users
        Users whose held-out item is new.
    recall_by_source
        Source -> share of these users whose item it offers; `any` for all, `any but content` for the rest.
    exposure
        Share of all candidates that are new items.
    exposure_without_content
        The same without what only content offers.
    """

    items: int
    users: int
    recall_by_source: dict[str, float]
    exposure: float
    exposure_without_content: float


def evaluate_new_items(knowledge: Knowledge, acts: Acts) -> ColdItems:
    """Look for new items among the candidates of stage *test*; `acts` are the whole log's.

    Cost: the candidates of at most `MAX_USERS` users whose item is new, and as many of all users.
    """
    labels = knowledge.labels
    sequence = known_to(labels, acts).first_of_each_item()
    new = np.bincount(sequence.item, minlength=len(knowledge.tables.items)) <= KNOWN_TO
    wanting = evenly(labels.users[new[labels.item[labels.users]]], MAX_USERS)
    content = SOURCES.index(CONTENT)
    offered = np.zeros(len(SOURCES) + 2)
    for block in knowledge.blocks(wanting):
        found = block.candidates
        hit = found.item == labels.item[block.users][found.user]
        by_source = ~np.isnan(found.rank[hit])
        others = np.delete(by_source, content, axis=1).any(axis=1)
        offered += [*by_source.sum(axis=0), by_source.any(axis=1).sum(), others.sum()]
    share = (offered / max(len(wanting), 1)).round(5).tolist()
    whole, rest = _exposure(knowledge, new)
    return ColdItems(
        items=int(new.sum()),
        users=len(wanting),
        recall_by_source=dict(zip((*SOURCES, "any", f"any but {CONTENT}"), share, strict=True)),
        exposure=whole,
        exposure_without_content=rest,
    )


def _exposure(knowledge: Knowledge, new: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Share of new items among all candidates, and among those that another source than content offers."""
    content = SOURCES.index(CONTENT)
    counts = np.zeros((2, 2))
    for block in knowledge.blocks(evenly(knowledge.labels.users, MAX_USERS)):
        fresh = new[block.candidates.item]
        others = (~np.isnan(np.delete(block.candidates.rank, content, axis=1))).any(axis=1)
        every, rest = [fresh.sum(), len(fresh)], [(fresh & others).sum(), others.sum()]
        counts += np.array([every, rest], dtype=np.float64)
    shares = (counts[:, 0] / np.maximum(counts[:, 1], 1)).round(5)
    return float(shares[0]), float(shares[1])
