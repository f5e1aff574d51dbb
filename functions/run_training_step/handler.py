"""One step of the training pipeline: fetch its channels, run its job, store what it made."""

import json
import shutil
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import msgspec

from functions.run_training_step.champion import keep_champion
from functions.run_training_step.channels import Wiring, download, upload, wiring
from functions.run_training_step.dependencies import dependencies
from functions.run_training_step.experiments import keep_experiments
from functions.run_training_step.history import Fetched, fetch_history
from functions.run_training_step.outcomes import outcome
from functions.run_training_step.preflight import check_dataset, check_lake, limits_of
from functions.run_training_step.settings import Settings
from personalization.keys import ACTIVE_MODEL
from personalization.runtime.observability import logger, worker
from training.capacity import Limits

CHAMPION: Final = "champion"
WITHOUT_JOB: Final = frozenset({"soundness", "announce"})
"""Steps that tell the state machine and CloudWatch of what another one has left."""
NEEDS_HISTORY: Final = 3
"""How *prepare* ends that has to begin with the whole lake."""


class StepFailedError(RuntimeError):
    """A job ended with another exit code than 0."""

    def __init__(self, step: str, code: int) -> None:
        super().__init__(f"{step} ended with exit code {code}; its log says why")
        self.code = code


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run `{"step", "run_id", "now", "shard_count", …}`; what else a step is told is `arguments`' to read."""
    step = event["step"]
    if step == CHAMPION:
        return _keep_champion(event["run_id"])
    root = Path(mkdtemp(prefix="step-"))
    limits = limits_of(context, root)
    try:
        wires = _wires(event)
        _fetch(step, wires, root)
        _write_hyperparameters(event, root)
        line = [*arguments(event, dependencies().settings), "--root", str(root)]
        fetched = None
        if step == "prepare":
            fetched = _prepare(line, root, limits)
            check_dataset(root, limits, shard_count=int(event["shard_count"]))
        elif step not in WITHOUT_JOB:
            run_job(step, line)
        _store(step, wires, root)
        answer = outcome(step, root, shard_count=int(event["shard_count"]))
        return answer if fetched is None else answer | {"fetched": msgspec.to_builtins(fetched)}
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _keep_champion(run_id: str) -> dict[str, Any]:
    deps = dependencies()
    active = deps.lists.read([ACTIVE_MODEL]).active
    bucket = deps.settings.model_bucket
    keep_experiments(deps.objects, deps.deployed, bucket=bucket, run_id=run_id)
    version = keep_champion(deps.objects, bucket=bucket, run_id=run_id, active=active)
    return {"step": CHAMPION, "version": version}


def _wires(event: Mapping[str, Any]) -> Wiring:
    settings = dependencies().settings
    return wiring(
        event["step"],
        run_id=event["run_id"],
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


def _prepare(line: list[str], root: Path, limits: Limits) -> Fetched:
    """Run *prepare* on what came since the last snapshot; where that does not do, on the whole lake."""
    deps = dependencies()
    fetch = partial(
        fetch_history,
        deps.objects,
        lake_bucket=deps.settings.lake_bucket,
        model_bucket=deps.settings.model_bucket,
        root=root,
        check=partial(check_lake, limits=limits),
    )
    fetched = fetch()
    try:
        run_job("prepare", line)
    except StepFailedError as error:
        if error.code != NEEDS_HISTORY or fetched.through is None:
            raise
        logger.warning("replaying the whole lake", reason="too few users act within days to split by time")
        shutil.rmtree(root / "processing")
        fetched = fetch(whole=True)
        run_job("prepare", line)
    return fetched


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
        line += ["--split", event.get("split") or "auto", "--accept", event.get("accept") or "none"]
    if event["step"] == "train":
        line += ["--version", event["run_id"], "--code-version", settings.code_version]
    if event["step"] == "share":
        line += ["--fewest-users", settings.fewest_users]
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
        raise StepFailedError(step, code)
