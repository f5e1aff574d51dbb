"""Dataset -> model: LambdaRank over candidates, and the tables that serve."""

from collections.abc import Sequence

from training.dataset import load_dataset
from training.folders import parse_job
from training.modelling import save_model, train_on
from training.ranker import MAX_TREES
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channel *dataset*, write the model folder."""
    job = parse_job(
        argv,
        "train",
        version={"required": True, "help": "the model's version"},
        code_version={"default": "unknown", "help": "of the code that trains it"},
    )
    dataset = load_dataset(job.folders.training_data("dataset"), [Stage.TRAIN, Stage.TEST])
    chosen = job.folders.hyperparameters()
    trained = train_on(
        dataset,
        seed=int(chosen.get("seed", "1")),
        trees=int(chosen.get("trees", MAX_TREES)),
        threads=job.threads,
    )
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


if __name__ == "__main__":
    raise SystemExit(main())
