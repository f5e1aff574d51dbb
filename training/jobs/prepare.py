"""Event lake -> dataset: acts, labels, point-in-time profiles."""

from collections.abc import Sequence
from functools import partial

from training.dataset import make_dataset, save_dataset
from training.folders import parse_job
from training.sources import lake_events
from training.split import Split


def main(argv: Sequence[str] | None = None) -> int:
    """Read channel *events*, write channel *dataset*."""
    job = parse_job(argv, "prepare")
    dataset = make_dataset(partial(lake_events, job.folders.input("events")), how=Split.AUTO)
    save_dataset(dataset, job.folders.output("dataset"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
