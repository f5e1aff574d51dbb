"""Ranks a night's users and carries their lists, as lines of JSON, to the publisher."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from scipy import sparse

from personalization import keys
from personalization.experiments import Definitions, Variant
from personalization.keys import Key
from personalization.lists import STORED_ITEMS, ListItem, RecommendationList
from personalization.names import Ranker
from personalization.policies import RELEVANCE, Policy
from personalization.profiles import Profile, at_seconds
from personalization.ranking import BLOCK_USERS, Model
from personalization.refreshing import surfaces_of

ACTIVE_WINDOW: Final = timedelta(days=30)
"""Who did nothing for longer gets a list on the first visit instead: the write bill follows active users."""


class StoredList(msgspec.Struct, frozen=True):
    """A list and the key it is published under."""

    pk: str
    sk: str
    recommendations: RecommendationList

    @property
    def key(self) -> Key:
        """The key in the table."""
        return Key(self.pk, self.sk)


class _Recipe(NamedTuple):
    """What a variant's list is made by: users of variants alike are ranked together."""

    ranker: Ranker
    policy: Policy

    @classmethod
    def of(cls, variant: Variant) -> "_Recipe":
        return cls(variant.ranker, variant.policy)

    def key(self, user_key: str, surface: str, version: str) -> Key:
        return keys.list_key(
            user_key, surface=surface, ranker=self.ranker, policy=self.policy, version=version
        )


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
) -> Iterator[StoredList]:
    """Rank users, each by ranker and policy of the variant they are in on each surface they saw lately.

    `owned` (users, items) is non-zero for what each of them bought or rated. Profiles are taken a block of
    users at a time.
    """
    everybody = zip(users, profiles, strict=True)
    for block in map(dict, batched(enumerate(everybody), BLOCK_USERS, strict=False)):
        wanted: dict[_Recipe, list[tuple[int, Key]]] = {}
        for number, (user_key, profile) in block.items():
            for surface in surfaces_of(profile):
                recipe = _Recipe.of(definitions.treatment(user_key, surface).variant)
                wanted.setdefault(recipe, []).append((number, recipe.key(user_key, surface, model.version)))
        for recipe in sorted(wanted, key=lambda recipe: (recipe.ranker, recipe.policy.digest)):
            numbers = [number for number, _ in wanted[recipe]]
            lists = model.recommend(
                [block[number][1] for number in numbers],
                ranker=recipe.ranker,
                policy=recipe.policy,
                seeds=[keys.draw_seed(key, block[number][1].revision) for number, key in wanted[recipe]],
                now=now,
                limit=STORED_ITEMS,
                owned=owned[np.array(numbers)],
            )
            for (number, key), items in zip(wanted[recipe], lists, strict=True):
                revision = block[number][1].revision
                yield _stored(key, items, model.version, now, recipe=recipe, revision=revision)


def shared(
    lists: Iterable[tuple[str, tuple[ListItem, ...]]], version: str, now: datetime
) -> Iterator[StoredList]:
    """Key the lists that many users share."""
    for name, items in lists:
        yield _stored(keys.segment_key(name, version=version), items, version, now)


def _stored(
    key: Key,
    items: tuple[ListItem, ...],
    version: str,
    now: datetime,
    *,
    recipe: _Recipe | None = None,
    revision: int = 0,
) -> StoredList:
    list_id = f"{crc32(f'{key.pk}{key.sk}'.encode()):08x}-{revision}"
    recommendations = RecommendationList(
        list_id=list_id,
        model_version=version,
        ranker=recipe.ranker if recipe else None,
        policy=recipe.policy if recipe else RELEVANCE,
        revision=revision,
        built_at=at_seconds(now),
        items=items,
    )
    return StoredList(key.pk, key.sk, recommendations)


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
