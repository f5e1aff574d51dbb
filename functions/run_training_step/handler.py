"""One step of the training pipeline: fetch its channels, run its job, store what it made."""

import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from functions.run_training_step.channels import download, upload, wiring
from functions.run_training_step.dependencies import dependencies
from functions.run_training_step.settings import Settings
from personalization.runtime.observability import logger


class StepFailedError(RuntimeError):
    """A job ended with another exit code than 0."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Run `{"step", "run_id", "now", "shard_count"[, "shard"]}`; answer what the next states need."""
    deps = dependencies()
    step, shard_count = event["step"], int(event["shard_count"])
    wires = wiring(
        step,
        run_id=event["run_id"],
        lake_bucket=deps.settings.lake_bucket,
        model_bucket=deps.settings.model_bucket,
    )
    root = Path(mkdtemp(prefix="step-"))
    try:
        for channel in wires.inputs:
            logger.info(
                "fetched", step=step, prefix=channel.prefix, files=download(deps.objects, channel, root)
            )
        run_job(step, [*arguments(event, deps.settings), "--root", str(root)])
        for channel in wires.outputs:
            logger.info("stored", step=step, prefix=channel.prefix, files=upload(deps.objects, channel, root))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return {"step": step, "shards": list(range(shard_count))} if step == "prepare" else {"step": step}


def arguments(event: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return the job's command line for an event."""
    line = ["--now", event["now"]]
    if event["step"] == "rank":
        line += ["--shard", str(event["shard"]), "--shard-count", str(event["shard_count"])]
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
