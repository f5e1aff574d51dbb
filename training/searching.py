"""Tuning on a terminal: trials with the best so far, and what becomes of an interruption."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training.dataset import Dataset
from training.tuned import Tuned, TuningError

STUDY_FILE = "tuning.db"
HYPERPARAMETERS_FILE = "hyperparameters.json"


def search(
    dataset: Dataset, output: Path, trials: int, *, seed: int, threads: int, console: Console
) -> Tuned:
    """Search until so many trials are done, those of earlier runs included; write what was chosen.

    Raises
    ------
    TuningError
        Optuna is missing, the study can't be read, or somebody interrupted.
    NothingToLearnError
        The log is too small.
    """
    try:
        from training.tuning import Tuner  # noqa: PLC0415 - Optuna is an extra, and half a second of import
    except ImportError as error:
        raise TuningError(f"{error}; tuning needs the extra: pip install 'attune[tuning]'") from error
    with console.status("preparing the search for settings"):
        tuner = Tuner(dataset, output / STUDY_FILE, seed=seed, threads=threads)
    if tuner.elsewhere:
        console.print("the log, the seed or what is tuned has changed: a new study starts", style="yellow")
    if tuner.done:
        console.print(f"going on; trials done so far: {tuner.done}")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("tuning", total=trials, completed=min(tuner.done, trials))
        try:
            for done in tuner.run(trials):
                progress.update(task, completed=done, description=f"tuning, best NDCG@10 {tuner.best:.4f}")
        except KeyboardInterrupt:
            raise TuningError(
                f"interrupted; trials kept: {tuner.done}; the same command goes on from there"
            ) from None
    tuned = tuner.result()
    body = msgspec.json.format(msgspec.json.encode(tuned.hyperparameters))
    (output / HYPERPARAMETERS_FILE).write_bytes(body + b"\n")
    return tuned
