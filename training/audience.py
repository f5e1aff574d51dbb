"""The part of a report that is about users rather than the model: segments, newcomers, and new items."""

import msgspec

from training.acts import Acts
from training.behaviour import observe
from training.cold_items import ColdItems, evaluate_new_items
from training.cold_start import ColdStart, evaluate_newcomers
from training.knowledge import Knowledge
from training.segments import Segments, segment_users


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Who the users are, and what the new among users and items get."""

    segments: Segments
    newcomers: ColdStart
    new_items: ColdItems


def study(acts: Acts, knowledge: Knowledge) -> Audience:
    """Look at the audience of a log's acts through what stage *test* knows.

    Every profile is read once; beside that the cost is linear in acts, and in samples of bounded size.
    """
    tables = knowledge.tables
    observed = observe(knowledge.profiles, tables.items, tables.at)
    return Audience(
        segments=segment_users(observed).summary,
        newcomers=evaluate_newcomers(acts, observed, tables),
        new_items=evaluate_new_items(knowledge, acts),
    )
