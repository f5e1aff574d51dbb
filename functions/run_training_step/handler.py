"""One step of the training pipeline: fetch its channels, run its job, store what it made."""

import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from functions.run_training_step.champion import keep_champion
from functions.run_training_step.channels import Wiring, download, size_in_bytes, upload, wiring
from functions.run_training_step.dependencies import dependencies
from functions.run_training_step.outcomes import outcome
from functions.run_training_step.preflight import check_dataset, check_lake, limits_of
from functions.run_training_step.settings import Settings
from personalization.keys import ACTIVE_MODEL
from personalization.runtime.observability import logger, metrics

CHAMPION: Final = "champion"
ANNOUNCE: Final = "announce"
"""Steps without a job: one begins a run, the other tells of what another engine has published."""


class StepFailedError(RuntimeError):
    """A job ended with another exit code than 0."""


@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run `{"step", "run_id", "now", "shard_count"[, "shard", "hyperparameters", "model"]}`."""
    step = event["step"]
    if step == CHAMPION:
        return _keep_champion(event["run_id"])
    root = Path(mkdtemp(prefix="step-"))
    limits = limits_of(context, root)
    try:
        wires = _wires(event)
        if step == "prepare":
            check_lake(size_in_bytes(dependencies().objects, wires.inputs), limits)
        _fetch(step, wires, root)
        _write_hyperparameters(event, root)
        if step != ANNOUNCE:
            run_job(step, [*arguments(event, dependencies().settings), "--root", str(root)])
        if step == "prepare":
            check_dataset(root, limits, shard_count=int(event["shard_count"]))
        _store(step, wires, root)
        return outcome(step, root, shard_count=int(event["shard_count"]))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _keep_champion(run_id: str) -> dict[str, Any]:
    deps = dependencies()
    active = deps.lists.read([ACTIVE_MODEL]).active
    version = keep_champion(deps.objects, bucket=deps.settings.model_bucket, run_id=run_id, active=active)
    return {"step": CHAMPION, "version": version}


def _wires(event: Mapping[str, Any]) -> Wiring:
    settings = dependencies().settings
    return wiring(
        event["step"],
        run_id=event["run_id"],
        lake_bucket=settings.lake_bucket,
        model_bucket=settings.model_bucket,
        shard=event.get("shard"),
        model=event.get("model"),
    )


def _fetch(step: str, wires: Wiring, root: Path) -> None:
    for channel in wires.inputs:
        files = download(dependencies().objects, channel, root)
        logger.info("fetched", step=step, prefix=channel.prefix, files=files)


def _store(step: str, wires: Wiring, root: Path) -> None:
    for channel in wires.outputs:
        files = upload(dependencies().objects, channel, root)
        logger.info("stored", step=step, prefix=channel.prefix, files=files)


def _write_hyperparameters(event: Mapping[str, Any], root: Path) -> None:
    """Leave the run's hyperparameters where SageMaker would: a JSON object of strings."""
    folder = root / "input" / "config"
    folder.mkdir(parents=True)
    chosen = {name: str(value) for name, value in (event.get("hyperparameters") or {}).items()}
    (folder / "hyperparameters.json").write_text(json.dumps(chosen))


def arguments(event: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return the job's command line for an event."""
    line = ["--now", event["now"]]
    if event["step"] == "prepare":
        line += ["--shard-count", str(event["shard_count"])]
    if event["step"] == "train":
        line += ["--version", event["run_id"]]
    if event["step"] == "publish":
        line += ["--table", settings.table_name, "--model-bucket", settings.model_bucket]
    return line


def run_job(step: str, argv: list[str]) -> None:
    """Run a job's `main`; the imports happen here, so that a step pays only for its own.

    Raises
    ------
    StepFailedError
        The job ended with another exit code than 0.
    """
    code = import_module(f"training.jobs.{step}").main(argv)
    if code != 0:
        raise StepFailedError(f"{step} ended with exit code {code}; its log says why")
