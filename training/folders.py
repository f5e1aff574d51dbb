"""SageMaker's container folders, below a root that tests and Lambdas may move, and the jobs' command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os import process_cpu_count
from pathlib import Path
from typing import Any, Final

import msgspec

from training.cluster import ALONE, Cluster, cluster_of

DEFAULT_ROOT: Final = Path("/opt/ml")
_SHOWN_CHARACTERS: Final = 1_000
"""SageMaker shows the first kilobyte of either file."""


@dataclass(frozen=True)
class Folders:
    """Where a processing or training container finds and leaves its files."""

    root: Path

    def input(self, channel: str) -> Path:
        """Input folder of a processing job."""
        return self.root / "processing" / "input" / channel

    def output(self, channel: str) -> Path:
        """Output folder of a processing job; made if it is not there."""
        folder = self.root / "processing" / "output" / channel
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def training_data(self, channel: str) -> Path:
        """Input folder of a training job."""
        return self.root / "input" / "data" / channel

    @property
    def model(self) -> Path:
        """Where a training job leaves its model."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path | None:
        """What outlives an interruption of a spot instance; None where nobody keeps it."""
        folder = self.root / "checkpoints"
        return folder if folder.is_dir() else None

    def hyperparameters(self) -> dict[str, str]:
        """Return the training job's hyperparameters; empty without a file."""
        path = self.root / "input" / "config" / "hyperparameters.json"
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}

    def cluster(self) -> Cluster:
        """Return the hosts of this job, as a training or a processing job is told them; else this alone."""
        for folder in (self.root / "input" / "config", self.root / "config"):
            if (path := folder / "resourceconfig.json").exists():
                return cluster_of(path.read_bytes())
        return ALONE

    def tell_failure(self, reason: str) -> None:
        """Leave the reason where SageMaker looks: in `failure` of a training job, `message` of another."""
        folder = self.root / "output"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("failure", "message"):
            (folder / name).write_text(reason[:_SHOWN_CHARACTERS], encoding="utf-8")


@dataclass(frozen=True)
class Job:
    """A job's folders and arguments."""

    folders: Folders
    now: datetime
    options: argparse.Namespace

    @property
    def threads(self) -> int:
        """Threads to use."""
        return int(self.options.threads)


def parse_job(argv: Sequence[str] | None, name: str, **options: dict[str, Any]) -> Job:
    """Parse a job's command line: `--root`, `--now`, and the job's own (`--shard-count` as `shard_count`)."""
    parser = argparse.ArgumentParser(prog=f"python -m training.jobs.{name}")
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="SageMaker's root folder")
    parser.add_argument("--now", type=datetime.fromisoformat, required=True, help="RFC 3339")
    parser.add_argument("--threads", type=int, default=process_cpu_count() or 1)
    for option, settings in options.items():
        parser.add_argument(f"--{option.replace('_', '-')}", **settings)
    parsed = parser.parse_args(argv)
    return Job(Folders(parsed.root), parsed.now, parsed)
