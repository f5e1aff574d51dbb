"""Ranks a night's users and carries their lists, as lines of JSON, to the publisher."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
import numpy as np
from msgspec.structs import replace
from scipy import sparse

from personalization import keys
from personalization.builds import Build
from personalization.experiments import Definitions, Visitor
from personalization.keys import Key
from personalization.lists import STORED_ITEMS, ListItem, RecommendationList
from personalization.profiles import Profile, at_seconds
from personalization.ranking import BLOCK_USERS, Model
from personalization.refreshing import surfaces_of

ACTIVE_WINDOW: Final = timedelta(days=30)
"""Who did nothing for longer gets a list on the first visit instead: the write bill follows active users."""
NIGHT_TO_NIGHT: Final = timedelta(days=1)


class StoredList(msgspec.Struct, frozen=True):
    """A list and the key it is published under."""

    pk: str
    sk: str
    recommendations: RecommendationList

    @property
    def key(self) -> Key:
        """The key in the table."""
        return Key(self.pk, self.sk)


def is_active(profile: Profile, now: datetime) -> bool:
    """Whether the user did something within the window (now - ACTIVE_WINDOW, now]."""
    return profile.last_at > at_seconds(now - ACTIVE_WINDOW)


def user_lists(
    model: Model,
    users: Sequence[str],
    profiles: Sequence[Profile],
    definitions: Definitions,
    *,
    now: datetime,
    owned: sparse.csr_array,
    tried: Model | None = None,
) -> Iterator[StoredList]:
    """Rank users by every build that requests may ask for until the next night, on surfaces they saw lately.

    Cost: one ranking a user, surface and build; a build more for each variant of an experiment by session, or
    of one that starts before the next night. Profiles are taken a block of users at a time, and users of
    builds alike are ranked together.

    Parameters
    ----------
    owned
        (users, items of `model`), non-zero for what each of them bought or rated.
    tried
        The published model that some variant names; `model` stands in for one that is not there.
    """
    everybody = zip(users, profiles, strict=True)
    for block in map(dict, batched(enumerate(everybody), BLOCK_USERS, strict=False)):
        wanted: dict[Build, list[tuple[int, Key]]] = {}
        for number, (user_key, profile) in block.items():
            visitor = Visitor(user_key, facts=profile.facts)
            for surface in surfaces_of(profile):
                for build in _builds(definitions, visitor, surface, now=now, tried=tried):
                    key = keys.list_key(user_key, surface=surface, version=model.version, build=build)
                    wanted.setdefault(build, []).append((number, key))
        for build in sorted(wanted, key=lambda build: (build.model or "", build.name)):
            numbers = [number for number, _ in wanted[build]]
            ranked_by = tried if tried and build.model else model
            lists = ranked_by.recommend(
                [block[number][1] for number in numbers],
                ranker=build.ranker,
                policy=build.policy,
                sources_off=build.sources_off,
                seeds=[keys.draw_seed(key, block[number][1].revision) for number, key in wanted[build]],
                now=now,
                limit=STORED_ITEMS,
                owned=owned[np.array(numbers)] if ranked_by is model else None,
            )
            for (number, key), items in zip(wanted[build], lists, strict=True):
                yield _personal(key, items, block[number][1], build, model=ranked_by, now=now)


def _builds(
    definitions: Definitions, visitor: Visitor, surface: str, *, now: datetime, tried: Model | None
) -> Iterable[Build]:
    there = (None, tried.version if tried else None)
    asked = [
        build
        for at in (now, now + NIGHT_TO_NIGHT)
        for build in definitions.builds(visitor, surface, at, any_session=True)
    ]
    return dict.fromkeys(build if build.model in there else replace(build, model=None) for build in asked)


def shared(
    lists: Iterable[tuple[str, tuple[ListItem, ...]]], version: str, now: datetime
) -> Iterator[StoredList]:
    """Key the lists that many users share."""
    for name, items in lists:
        key = keys.segment_key(name, version=version)
        recommendations = RecommendationList(
            list_id=_list_id(key, 0),
            model_version=version,
            ranker=None,
            revision=0,
            built_at=at_seconds(now),
            items=items,
        )
        yield StoredList(key.pk, key.sk, recommendations)


def _personal(
    key: Key, items: tuple[ListItem, ...], profile: Profile, build: Build, *, model: Model, now: datetime
) -> StoredList:
    recommendations = RecommendationList(
        list_id=_list_id(key, profile.revision),
        model_version=model.version,
        ranker=build.ranker,
        policy=build.policy,
        revision=profile.revision,
        built_at=at_seconds(now),
        items=items,
        because=model.because(profile),
    )
    return StoredList(key.pk, key.sk, recommendations)


def _list_id(key: Key, revision: int) -> str:
    return f"{crc32(f'{key.pk}{key.sk}'.encode()):08x}-{revision}"


def write_lists(lists: Iterable[StoredList], path: Path) -> int:
    """Write lists as gzipped JSON lines; return how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as file:
        for stored in lists:
            file.write(msgspec.json.encode(stored) + b"\n")
            count += 1
    return count


def read_lists(folder: Path) -> Iterator[StoredList]:
    """Read every list below a folder, files in order of name."""
    decoder = msgspec.json.Decoder(StoredList)
    for path in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(path) as file:
            yield from (decoder.decode(line) for line in file)
