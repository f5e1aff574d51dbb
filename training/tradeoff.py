"""What variety costs in accuracy: the model's lists re-ranked at several strengths of diversity."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from personalization.policies import Policy
from personalization.ranking import Scorer, best_by_user
from personalization.slates import Reranker, Shelf
from training.acts import Ints
from training.knowledge import Block, Knowledge
from training.measuring import TOP, Catalogue, Lists, Mean, evenly
from training.metrics import Doubles, gains, intra_list_diversity, mean_interval

STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
MAX_USERS: Final = 2_000


class TradeOff(msgspec.Struct, frozen=True):
    """What lists are like at one strength of `Policy.diversity`, at cut-off `TOP`.

    Attributes
    ----------
    low, high
        95% bootstrap interval of the NDCG less that at strength 0, user by user.
    variety
        Intra-list diversity, by content.
    """

    strength: float
    ndcg: float
    low: float
    high: float
    variety: float


def trade_off(
    knowledge: Knowledge, users: Ints, scorer: Scorer, catalogue: Catalogue
) -> tuple[TradeOff, ...]:
    """Measure every one of `STRENGTHS`; nothing where there is nobody, or nothing alike to tell apart.

    At most `MAX_USERS` are taken, evenly spread. Cost a user: their features once, the similarity of a pool,
    and `TOP` places a strength.
    """
    chosen = evenly(users, MAX_USERS)
    if not len(chosen) or not catalogue.similarity.nnz:
        return ()
    ranks: dict[float, list[Ints]] = {strength: [] for strength in STRENGTHS}
    variety = {strength: Mean() for strength in STRENGTHS}
    for block in knowledge.blocks(chosen):
        shelves = _shelves(block, scorer)
        for strength in STRENGTHS:
            lists = _lists(block, shelves, strength)
            ranks[strength].append(lists.ranks(knowledge.labels.item[block.users]))
            variety[strength].add(intra_list_diversity(lists.items, catalogue.similarity))
    gained = {strength: gains(np.concatenate(found), TOP) for strength, found in ranks.items()}
    return tuple(
        _at(strength, values, values - gained[0.0], variety[strength]) for strength, values in gained.items()
    )


def _at(strength: float, gained: Doubles, change: Doubles, variety: Mean) -> TradeOff:
    """`gained` and `change` are (users,)."""
    low, high = mean_interval(change) if len(change) > 1 else (-1.0, 1.0)
    return TradeOff(
        strength=strength,
        ndcg=round(float(gained.mean()), 5),
        low=round(low, 5),
        high=round(high, 5),
        variety=round(variety.value or 0.0, 5),
    )


def _shelves(block: Block, scorer: Scorer) -> list[Shelf]:
    scores = scorer.predict(block.features())
    reranker = Reranker(block.tables, Policy(diversity=1.0), at=0)
    every = np.ones(len(block.tables.items), dtype=np.bool_)
    bests = best_by_user(block.candidates, scores, every)
    return [
        reranker.shelf(block.candidates, scores, best, profile)
        for best, profile in zip(bests, block.profiles, strict=True)
    ]


def _lists(block: Block, shelves: Sequence[Shelf], strength: float) -> Lists:
    rows = np.full((len(shelves), TOP), -1, dtype=np.int64)
    for user, shelf in enumerate(shelves):
        order = shelf.slate(Policy(diversity=strength), TOP).order
        rows[user, : len(order)] = order
    items = np.where(rows >= 0, block.candidates.item[rows], -1)
    return Lists(rows, items)
