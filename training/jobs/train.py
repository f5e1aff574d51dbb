"""Dataset -> model: LambdaRank over candidates, and the tables that serve."""

from collections.abc import Sequence

from training.dataset import load_dataset
from training.folders import parse_job
from training.modelling import save_model, train_on
from training.settings import Settings
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channel *dataset* and hyperparameters (`training.settings`), write the model folder."""
    job = parse_job(argv, "train", version={"required": True, "help": "the model's version"})
    settings = Settings.of(job.folders.hyperparameters())
    dataset = load_dataset(job.folders.training_data("dataset"), [Stage.TRAIN, Stage.TEST])
    dataset = dataset.with_recipe(settings.recipe)
    trained = train_on(dataset, seed=settings.seed, threads=job.threads, ranker=settings.ranker)
    tables = dataset.tables(Stage.SERVE)
    save_model(job.folders.model, trained, tables, dataset, version=job.options.version, now=job.now)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
