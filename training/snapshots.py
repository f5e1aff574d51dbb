"""Profiles as they were: the log replayed by the live reducer, cut for each stage of the split.

Because the reducer does not depend on order, a stage's profile is the fold of the events that arrived
before its cut, in whatever order the log is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Final, overload

from personalization.events import Event
from personalization.ledger import SeenIds
from personalization.profile_encoding import decode, encode
from personalization.profiles import Profile, apply, at_seconds
from training.persons import holder_of
from training.split import Labels, Stage

CHUNK_EVENTS: Final = 20_000
"""Events held while they are grouped by user: more cost memory, fewer cost decoding."""


class StoredProfiles(Sequence[Profile]):
    """Profiles in their stored form, decoded whenever one is taken: a tenth of the memory of live ones."""

    def __init__(self, encoded: Sequence[bytes]) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded)

    def __iter__(self) -> Iterator[Profile]:
        return map(decode, self.encoded)

    @overload
    def __getitem__(self, place: int) -> Profile: ...

    @overload
    def __getitem__(self, place: slice) -> "StoredProfiles": ...

    def __getitem__(self, place: int | slice) -> "Profile | StoredProfiles":
        if isinstance(place, slice):
            return StoredProfiles(self.encoded[place])
        return decode(self.encoded[place])

    def at(self, places: Iterable[int]) -> "StoredProfiles":
        """Return some of them, in the order of `places`."""
        return StoredProfiles([self.encoded[place] for place in places])


def replay(
    events: Iterable[Event],
    users: Sequence[str],
    labels: Mapping[Stage, Labels],
    merged_into: Mapping[str, str] | None = None,
) -> dict[Stage, StoredProfiles]:
    """Fold a log into one profile a user and stage, repeated events once; a visitor's go to their user's.

    Returns profiles in the order of `users`. They rest encoded between a user's events, as they do in the
    table between a user's batches.

    Cost: O(events x stages), and a decoding and an encoding a stage, user and chunk that tells of them.
    Memory: a chunk of events, about 20 MB, and 3.3 KB a user of 33 events for three stages and the ids seen;
    at every bound 13 KB.
    """
    numbers = {user: number for number, user in enumerate(users)}
    for visitor in merged_into or ():
        if (user := holder_of(visitor, merged_into or {})) in numbers:
            numbers[visitor] = numbers[user]
    encoded = {stage: [encode(Profile())] * len(users) for stage in labels}
    seen: dict[str, bytes] = {}
    known = (event for event in events if event.user_key in numbers)
    for chunk in batched(known, CHUNK_EVENTS, strict=False):
        for key, own in _by_user(chunk).items():
            number, ids = numbers[key], SeenIds(seen.get(key, b""))
            fresh = [event for event in own if ids.add(event.event_id)]
            seen[key] = bytes(ids)
            before = {stage: states[number] for stage, states in encoded.items()}
            cuts = {stage: int(label.cut[number]) for stage, label in labels.items()}
            for stage, state in _folded(before, fresh, cuts).items():
                encoded[stage][number] = state
    return {stage: StoredProfiles(states) for stage, states in encoded.items()}


def _by_user(events: Iterable[Event]) -> dict[str, list[Event]]:
    grouped: dict[str, list[Event]] = {}
    for event in events:
        grouped.setdefault(event.user_key, []).append(event)
    return grouped


def _folded(
    before: Mapping[Stage, bytes], events: Sequence[Event], cuts: Mapping[Stage, int]
) -> dict[Stage, bytes]:
    """Fold a user's events into each stage's profile; stages that know the same share one."""
    arrived = [at_seconds(event.received_at) for event in events]
    made: dict[tuple[bytes, int], bytes] = {}
    after = {}
    for stage, state in before.items():
        early = [event for event, at in zip(events, arrived, strict=True) if at < cuts[stage]]
        # Of two cuts through the same events, equally many before them are the same ones.
        key = state, len(early)
        if key not in made:
            made[key] = fold(state, early) if early else state
        after[stage] = made[key]
    return after


def fold(state: bytes, events: Iterable[Event]) -> bytes:
    """Fold events into a profile in its stored form."""
    profile = decode(state)
    for event in events:
        apply(profile, event)
    return encode(profile)
