"""Model and shards of users -> the lists of those of them that are active."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from personalization.errors import ModelError
from personalization.experiments import Definitions
from personalization.ranking import Model
from training.experiments import read_experiments, read_tried
from training.folders import parse_job
from training.lists import StoredList, is_active, user_lists, write_lists
from training.user_shards import UserShard, read_user_shards


def main(argv: Sequence[str] | None = None) -> int:
    """Read *model*, *users*, *experiments* and *tried*; write a file of *lists* for each shard there is.

    The last two may be empty: then there is no experiment, and no variant that tries a published model.
    """
    job = parse_job(argv, "rank")
    model = Model.load(job.folders.input("model"))
    definitions = read_experiments(job.folders.input("experiments"))
    tried = read_tried(job.folders.input("tried"), definitions)
    for shard in read_user_shards(job.folders.input("users")):
        lists = _lists(shard, model, definitions, tried, job.now)
        write_lists(lists, job.folders.output("lists") / f"{shard.name}.jsonl.gz")
    return 0


def _lists(
    shard: UserShard, model: Model, definitions: Definitions, tried: Model | None, now: datetime
) -> Iterator[StoredList]:
    if shard.owned.shape[1] != len(model.tables.items):
        raise ModelError("the users are of another dataset than the model")
    active = [number for number, profile in enumerate(shard.profiles) if is_active(profile, now)]
    return user_lists(
        model,
        [shard.users[number] for number in active],
        shard.profiles.at(active),
        definitions,
        now=now,
        owned=shard.owned[np.array(active, dtype=np.int64)],
        tried=tried,
    )


if __name__ == "__main__":
    raise SystemExit(main())
