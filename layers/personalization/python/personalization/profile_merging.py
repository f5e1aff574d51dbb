"""Two profiles that turned out to be one person's.

A profile is made of sums, maxima and "the n entries with the greatest (time, key)", and each of these of a
union follows from those of its halves. So a merged profile encodes to the bytes of one that was folded from
both halves' events, in any order, and goes on as that one would.
"""

from collections.abc import Mapping
from itertools import zip_longest

from personalization.profiles import Profile, latest


def merge(one: Profile, other: Profile) -> Profile:
    """Return the profile of all events of both, cut to its bounds; both are left as they are.

    Commutative, but for consent, which is the first one's, and associative; an empty profile changes nothing.
    Cost O(n log n) in the entries kept.

    >>> merge(Profile(first_at=5, last_at=9, revision=1), Profile(first_at=7, last_at=8, revision=2)).revision
    3
    """
    return latest(
        Profile(
            first_at=min(filter(None, (one.first_at, other.first_at)), default=0),
            last_at=max(one.last_at, other.last_at),
            revision=one.revision + other.revision,
            spent_cents=one.spent_cents + other.spent_cents,
            totals=_added(one.totals, other.totals),
            recent=_later(one.recent, other.recent),
            owned=_later(one.owned, other.owned),
            shown=one.shown | other.shown,
            disliked=_later(one.disliked, other.disliked),
            days={
                day: _added(one.days.get(day, []), other.days.get(day, [])) for day in one.days | other.days
            },
            surfaces=_later(one.surfaces, other.surfaces),
            attributes=_later(one.attributes, other.attributes),
            consent=one.consent,
            since=one.since,
        )
    )


def _added(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def _later[K, V: (int, tuple[int, str], tuple[int, int, int])](
    one: Mapping[K, V], other: Mapping[K, V]
) -> dict[K, V]:
    """Of what both know the later, by (time, value)."""
    merged = dict(one)
    for key, value in other.items():
        merged[key] = max(merged.get(key, value), value)
    return merged
