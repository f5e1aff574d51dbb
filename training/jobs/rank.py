"""Model and shards of users -> the lists of those of them that are active."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from personalization.errors import ModelError
from personalization.experiments import packaged_definitions
from personalization.ranking import Model
from training.folders import parse_job
from training.lists import StoredList, is_active, user_lists, write_lists
from training.user_shards import UserShard, read_user_shards


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *model* and *users*, write a file of channel *lists* for each shard that is there."""
    job = parse_job(argv, "rank")
    model = Model.load(job.folders.input("model"))
    for shard in read_user_shards(job.folders.input("users")):
        lists = _lists(shard, model, job.now)
        write_lists(lists, job.folders.output("lists") / f"{shard.name}.jsonl.gz")
    return 0


def _lists(shard: UserShard, model: Model, now: datetime) -> Iterator[StoredList]:
    if shard.owned.shape[1] != len(model.tables.items):
        raise ModelError("the users are of another dataset than the model")
    active = [number for number, profile in enumerate(shard.profiles) if is_active(profile, now)]
    return user_lists(
        model,
        [shard.users[number] for number in active],
        shard.profiles.at(active),
        packaged_definitions(),
        now=now,
        owned=shard.owned[np.array(active, dtype=np.int64)],
    )


if __name__ == "__main__":
    raise SystemExit(main())
