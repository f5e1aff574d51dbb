"""Who turned out to be whom: what `personalization.visitors` did, found again from the lake's events.

Of a visitor whom several users name, the first to be processed has them, and the lake does not know which
that was where they came by different shards. So the table's word counts; without one, the first that arrived.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final, NamedTuple

from personalization.events import Event
from personalization.ports import ProfileStore
from personalization.profiles import at_seconds, reason_to_ignore

_USERS_A_READ: Final = 100


class Link(NamedTuple):
    """An `identify` that may have merged a visitor into a user; times in seconds since 1970."""

    user: str
    visitor: str
    received_at: int

    @classmethod
    def of(cls, event: Event) -> "Link | None":
        """Return what an event links; None for most."""
        if not event.visitor_key or reason_to_ignore(event) is not None:
            return None
        return cls(event.user_key, event.visitor_key, at_seconds(event.received_at))


class Word(NamedTuple):
    """What the table says of a key."""

    merged_into: str = ""
    erased_at: int = 0


@dataclass(frozen=True)
class Person:
    """A user and the visitors they were.

    Attributes
    ----------
    user
        The key that holds the profile.
    merged_into
        Visitor -> the key that their record names: the user, or one on the way.
    """

    user: str
    merged_into: Mapping[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """The user's key, and then the visitors'."""
        return (self.user, *self.merged_into)


def words_of(
    keys: Iterable[str], profiles: ProfileStore, erased: Mapping[str, int] | None = None
) -> dict[str, Word]:
    """Return what the table says of those who were merged or erased. Cost: one read for 100 keys.

    `erased` has tombstones that the table may not know: who was forgotten was merged into nobody before.
    """
    known = erased or {}
    words: dict[str, Word] = {}
    for chunk in batched(keys, _USERS_A_READ, strict=False):
        for key, state in profiles.load(chunk).items():
            if known.get(key, 0) > state.erased_at:
                words[key] = Word("", known[key])
            elif state.merged_into or state.erased_at:
                words[key] = Word(state.merged_into, state.erased_at)
    return words


def redirects(links: Iterable[Link], words: Mapping[str, Word]) -> dict[str, str]:
    """Return visitor -> whom they were merged into, given links in the order of arrival.

    >>> redirects([Link("ann", "v", 1), Link("bob", "v", 2), Link("cleo", "ann", 3)], {})
    {'v': 'ann', 'ann': 'cleo'}
    >>> redirects([Link("ann", "v", 1), Link("bob", "v", 2)], {"v": Word("bob")})
    {'v': 'bob'}
    """
    merged_into: dict[str, str] = {}
    for key, word in words.items():
        if word.merged_into and holder_of(word.merged_into, merged_into) != key:
            merged_into[key] = word.merged_into
    for link in links:
        keys = link.user, holder_of(link.user, merged_into), link.visitor
        if link.received_at >= max(words.get(key, Word()).erased_at for key in keys):
            follow(link, merged_into)
    return merged_into


def follow(link: Link, merged_into: dict[str, str]) -> None:
    """Note whom a link's visitor turned out to be, unless they are somebody's already."""
    user = holder_of(link.user, merged_into)
    if link.visitor not in merged_into and link.visitor != user:
        merged_into[link.visitor] = user


def holder_of(key: str, merged_into: Mapping[str, str]) -> str:
    """Follow the way from a visitor to the user; anybody else is their own."""
    while key in merged_into:
        key = merged_into[key]
    return key


def visitors_of(merged_into: Mapping[str, str]) -> dict[str, list[str]]:
    """Return user -> the visitors they were, by any way, in order.

    >>> visitors_of({"v": "ann", "ann": "cleo"})
    {'cleo': ['ann', 'v']}
    """
    visitors: dict[str, list[str]] = {}
    for visitor in sorted(merged_into):
        visitors.setdefault(holder_of(visitor, merged_into), []).append(visitor)
    return visitors


def persons_of(keys: Iterable[str], merged_into: Mapping[str, str]) -> Sequence[Person]:
    """Group keys by the user whom they belong to."""
    persons: dict[str, dict[str, str]] = {}
    for key in keys:
        visitors = persons.setdefault(holder_of(key, merged_into), {})
        if key in merged_into:
            visitors[key] = merged_into[key]
    return [Person(user, visitors) for user, visitors in persons.items()]
