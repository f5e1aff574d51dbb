"""Event lake -> dataset: acts, labels, point-in-time profiles; and its users in shards."""

from collections.abc import Sequence
from functools import partial

import msgspec

from personalization.errors import InvalidInput
from training.capacity import SIZE_FILE, Size
from training.dataset import make_dataset, save_dataset
from training.folders import parse_job
from training.sources import lake_events
from training.split import Split
from training.user_shards import save_user_shards


def main(argv: Sequence[str] | None = None) -> int:
    """Read channel *events*, write channels *dataset* and *users*."""
    job = parse_job(argv, "prepare", shard_count={"type": int, "default": 1})
    dataset = make_dataset(partial(lake_events, job.folders.input("events")), how=Split.AUTO)
    if dataset.log.events == 0:
        raise InvalidInput(
            "no_events", "the lake holds no event of a user yet; send some, or import a history"
        )
    save_dataset(dataset, job.folders.output("dataset"))
    save_user_shards(dataset, job.folders.output("users"), job.options.shard_count)
    log = dataset.log
    size = Size(events=log.events, users=len(log.users), items=len(log.items))
    (job.folders.output("dataset") / SIZE_FILE).write_bytes(msgspec.json.encode(size))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
