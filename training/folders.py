"""SageMaker's container folders, below a root that tests and Lambdas may move, and the jobs' command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os import process_cpu_count
from pathlib import Path
from typing import Any

import msgspec


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

    def hyperparameters(self) -> dict[str, str]:
        """Return the training job's hyperparameters; empty without a file."""
        path = self.root / "input" / "config" / "hyperparameters.json"
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}


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
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="SageMaker's root folder")
    parser.add_argument("--now", type=datetime.fromisoformat, required=True, help="RFC 3339")
    parser.add_argument("--threads", type=int, default=process_cpu_count() or 1)
    for option, settings in options.items():
        parser.add_argument(f"--{option.replace('_', '-')}", **settings)
    parsed = parser.parse_args(argv)
    return Job(Folders(parsed.root), parsed.now, parsed)
