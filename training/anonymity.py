"""What may be told of many: nothing that fewer than *k* people are behind.

Sweeney, 2002, "k-anonymity: a model for protecting privacy", of lists rather than rows: an item has a place
of its own in a shared list if at least *k* distinct users came to it; the others follow in the order of a
wider group, and in the end in that of their ids, which says nothing of anybody.
"""

from typing import Final

import numpy as np

from training.acts import Acts
from training.metrics import Ints

FEWEST_USERS: Final = 20
"""*k*, where nobody says otherwise. Lists of segments have a higher floor of their own: `facts.SUPPORT`."""


def users_behind(acts: Acts, items: int, *, since: int) -> Ints:
    """(items,), distinct users who came to each item after `since`, in seconds since 1970. O(m log m)."""
    recent = acts.where(acts.at > since).first_of_each_item()
    return np.bincount(recent.item, minlength=items)


def told(order: Ints, behind: Ints, wider: Ints, fewest: int) -> tuple[Ints, int]:
    """Return an order of items that tells of no few, and how many of them have a place of their own.

    Parameters
    ----------
    order, wider
        (items,), items best first, as the group's acts have it and as more people's have it.
    behind
        (items,), distinct users whose acts made the order.

    >>> order, behind, by_id = np.array([2, 0, 1]), np.array([3, 9, 4]), np.arange(3)
    >>> told(order, behind, by_id, 4)
    (array([2, 1, 0]), 2)
    >>> told(order, behind, by_id, 1)
    (array([2, 0, 1]), 3)
    """
    enough = order[behind[order] >= fewest]
    rest = wider[behind[wider] < fewest]
    return np.concatenate((enough, rest)), len(enough)
