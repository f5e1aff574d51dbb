"""What a user was shown and passed over: a rule of serving, never a feature (docs/decisions/0041)."""

from collections import Counter
from typing import Final

from personalization.profiles import Profile, item_hash

WINDOW_HOURS: Final = 7 * 24
"""What was shown longer ago is forgiven."""


def times_ignored(profile: Profile, at: int) -> Counter[int]:
    """Count, by item hash, the hours within the window (at - window, at] in which an item was shown in vain.

    An hour counts if the user came to the item neither in it nor later: a click takes back all that led to
    it. However often an item is shown within an hour, a page reloaded, it counts once. Cost O(entries of the
    profile).

    Parameters
    ----------
    at
        Now, in seconds since 1970.
    """
    now = at // 3_600
    acted = {item: when // 3_600 for item, when in profile.owned.items()}
    for item_id, (when, _, _) in profile.recent.items():
        item = item_hash(item_id)
        acted[item] = max(acted.get(item, 0), when // 3_600)
    return Counter(
        item for hour, item in profile.shown if now - WINDOW_HOURS < hour <= now and hour > acted.get(item, 0)
    )
