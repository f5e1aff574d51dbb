"""Dataset and model -> lists of one shard of the active users; shard 0 adds the shared lists."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from personalization.experiments import packaged_definitions
from personalization.ranking import Model
from training.dataset import load_dataset
from training.folders import parse_job
from training.lists import in_shard, is_active, shared, user_lists, write_lists
from training.shared_lists import shared_lists
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *dataset* and *model*, write this shard's file of channel *lists*."""
    job = parse_job(argv, "rank", shard={"type": int, "default": 0}, shard_count={"type": int, "default": 1})
    shard, shard_count = job.options.shard, job.options.shard_count
    dataset = load_dataset(job.folders.input("dataset"), [Stage.SERVE])
    model = Model.load(job.folders.input("model"))
    profiles = dataset.profiles[Stage.SERVE]
    everybody = dataset.log.users
    numbers = [
        number
        for number, user in enumerate(everybody)
        if in_shard(user, shard, shard_count) and is_active(profiles[number], job.now)
    ]
    users = [everybody[number] for number in numbers]
    owned = dataset.owned(Stage.SERVE)[np.array(numbers, dtype=np.int64)]
    lists = user_lists(model, users, profiles.at(numbers), packaged_definitions(), now=job.now, owned=owned)
    if shard == 0:
        common = shared_lists(model.tables, dataset.log.acts, profiles, job.now)
        lists = chain(shared(common, model.version, job.now), lists)
    write_lists(lists, job.folders.output("lists") / f"{shard:05}.jsonl.gz")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
