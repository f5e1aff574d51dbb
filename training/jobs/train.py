"""Dataset -> model: LambdaRank over candidates, and the tables that serve."""

import os
from collections.abc import Sequence

from training.dataset import load_dataset
from training.distributed import STALLED_SECONDS, StallWatch
from training.folders import Job, parse_job
from training.modelling import save_model, train_on
from training.settings import Settings
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channel *dataset* and hyperparameters (`training.settings`), write the model folder.

    Of several hosts, the first one writes.
    """
    job = parse_job(
        argv,
        "train",
        version={"required": True, "help": "the model's version"},
        code_version={"default": "unknown", "help": "of the code that trains it"},
    )
    cluster = job.folders.cluster()
    hyperparameters = job.folders.hyperparameters()
    patience = float(hyperparameters.pop("stalled_seconds", STALLED_SECONDS))
    settings = Settings.of(hyperparameters)
    dataset = load_dataset(job.folders.training_data("dataset"), [Stage.TRAIN, Stage.TEST])
    dataset = dataset.with_recipe(settings.recipe)
    trained = train_on(
        dataset,
        seed=settings.seed,
        threads=job.threads,
        ranker=settings.ranker,
        cluster=cluster,
        checkpoints=job.folders.checkpoints,
        watch=_watch(job, patience) if cluster.size > 1 else None,
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


def _watch(job: Job, patience: float) -> StallWatch:
    def give_up() -> None:
        # LightGBM waits in native code, where no exception reaches it.
        job.folders.tell_failure("train: the hosts no longer get on: one of them is lost. Start it again")
        os._exit(1)

    return StallWatch(give_up, after_seconds=patience)


if __name__ == "__main__":
    raise SystemExit(main())
