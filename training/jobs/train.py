"""Dataset -> model: LambdaRank over candidates, and the tables that serve."""

import os
from collections.abc import Sequence

from training.dataset import load_dataset
from training.distributed import STALLED_SECONDS, StallWatch
from training.folders import Job, parse_job
from training.modelling import save_model, train_on
from training.ranker import MAX_TREES
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channel *dataset*, write the model folder; of several hosts, the first one writes."""
    job = parse_job(
        argv,
        "train",
        version={"required": True, "help": "the model's version"},
        code_version={"default": "unknown", "help": "of the code that trains it"},
    )
    cluster = job.folders.cluster()
    dataset = load_dataset(job.folders.training_data("dataset"), [Stage.TRAIN, Stage.TEST])
    chosen = job.folders.hyperparameters()
    trained = train_on(
        dataset,
        seed=int(chosen.get("seed", "1")),
        trees=int(chosen.get("trees", MAX_TREES)),
        threads=job.threads,
        cluster=cluster,
        checkpoints=job.folders.checkpoints,
        watch=_watch(job) if cluster.size > 1 else None,
    )
    if cluster.leads:
        tables = dataset.tables(Stage.SERVE)
        save_model(
            job.folders.model,
            trained,
            tables,
            dataset,
            version=job.options.version,
            now=job.now,
            code_version=job.options.code_version,
        )
    return 0


def _watch(job: Job) -> StallWatch:
    patience = job.folders.hyperparameters().get("stalled_seconds", STALLED_SECONDS)

    def give_up() -> None:
        # LightGBM waits in native code, where no exception reaches it.
        job.folders.tell_failure("train: the hosts no longer get on: one of them is lost. Start it again")
        os._exit(1)

    return StallWatch(give_up, after_seconds=float(patience))


if __name__ == "__main__":
    raise SystemExit(main())
