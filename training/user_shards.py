"""The users of a log in shards: one file each, all that ranking its users needs beside the model.

A shard is a file, so that SageMaker's ``ShardedByS3Key`` and a Lambda that fetches one object hand out work
alike, and nobody reads the users of others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
from scipy import sparse

from training.dataset import Dataset
from training.snapshots import StoredProfiles
from training.split import Stage


@dataclass(frozen=True)
class UserShard:
    """Some users of a log.

    Attributes
    ----------
    name
        Of the shard: of its file, without suffix.
    users
        User keys (n,), in the order of the log.
    owned
        (n, items of the log), 1 for what each of them bought or rated.
    """

    name: str
    users: Sequence[str]
    profiles: StoredProfiles
    owned: sparse.csr_array


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    users: list[str]
    profiles: list[bytes]
    items: int
    owned_counts: bytes
    owned_items: bytes


def shard_of(user_key: str, shard_count: int) -> int:
    """Return the shard a user belongs to; stable over runs and machines."""
    return crc32(user_key.encode()) % shard_count


def shard_name(shard: int) -> str:
    """Return the name of a shard's file, without suffix: sorted as the numbers are."""
    return f"{shard:05}"


def save_user_shards(dataset: Dataset, folder: Path, shard_count: int) -> None:
    """Write every shard, also those without users.

    Cost O(users), and a comparison of each with each shard; memory is one shard's, about 1.5 KB a user.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users, profiles = dataset.log.users, dataset.profiles[Stage.SERVE]
    owned = dataset.owned(Stage.SERVE)
    shard = np.fromiter((shard_of(user, shard_count) for user in users), np.int64, len(users))
    for number in range(shard_count):
        rows = np.flatnonzero(shard == number)
        own = owned[rows]
        stored = _Stored(
            users=[users[row] for row in rows.tolist()],
            profiles=list(profiles.at(rows.tolist()).encoded),
            items=own.shape[1],
            owned_counts=np.diff(own.indptr).astype("<i4").tobytes(),
            owned_items=own.indices.astype("<i4").tobytes(),
        )
        (folder / f"{shard_name(number)}.msgpack").write_bytes(msgspec.msgpack.encode(stored))


def read_user_shards(folder: Path) -> Iterator[UserShard]:
    """Read the shards that lie in a folder, one at a time, in order of name."""
    for path in sorted(folder.glob("*.msgpack")):
        stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
        counts = np.frombuffer(stored.owned_counts, "<i4")
        items = np.frombuffer(stored.owned_items, "<i4")
        shape = len(stored.users), stored.items
        pointers = np.concatenate(([0], np.cumsum(counts)))
        owned = sparse.csr_array((np.ones(len(items), dtype=np.float32), items, pointers), shape=shape)
        yield UserShard(path.stem, stored.users, StoredProfiles(stored.profiles), owned)
