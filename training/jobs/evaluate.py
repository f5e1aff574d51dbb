"""Dataset and model -> report: held-out quality beside the baselines."""

from collections.abc import Sequence

import msgspec

from personalization.model_tables import read_recipe
from personalization.ranking import TABLES_FOLDER
from training.audience import study
from training.calibration import read_calibrations
from training.data_checks import read_soundness
from training.dataset import load_dataset
from training.evaluation import evaluate, rankers_of
from training.folders import parse_job
from training.modelling import TRAINING_FILE
from training.report import save_report
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *dataset* and *model*, write channel *report*."""
    job = parse_job(argv, "evaluate")
    model = job.folders.input("model")
    dataset = load_dataset(job.folders.input("dataset"), [Stage.TEST])
    dataset = dataset.with_recipe(read_recipe(model / TABLES_FOLDER))
    rankers = rankers_of(model, job.folders.input("champion"), threads=job.threads)
    knowledge = dataset.knowledge(Stage.TEST)
    evaluation = evaluate(dataset.log, knowledge, rankers)
    audience = study(dataset.log.acts, knowledge)
    folder = job.folders.output("report")
    night = job.folders.input("dataset")
    save_report(
        evaluation,
        audience,
        (model / TRAINING_FILE).read_bytes(),
        dataset,
        folder,
        soundness=read_soundness(night),
        calibrations=read_calibrations(night),
    )
    (folder / "held_out.json").write_bytes(msgspec.json.encode(dataset.held_out()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
