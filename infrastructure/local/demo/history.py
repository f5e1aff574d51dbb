"""Moves history and catalogue into a local AWS, as a shop would move its own in: with the bulk import."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from infrastructure.local.demo.logs import write_history
from infrastructure.local.lifecycle import LocalAws


def import_history(
    aws: LocalAws, rows: Sequence[dict[str, Any]], items: Path, work: Path, *, ends_at: datetime
) -> None:
    """Import a log's rows, shifted so that the newest is `ends_at`, and a catalogue's file.

    Parameters
    ----------
    work
        Folder for the shifted log.

    Raises
    ------
    subprocess.CalledProcessError
        The import failed; it has said why.
    """
    history = work / "history.jsonl.gz"
    write_history(rows, history, ends_at=ends_at)
    command = [
        *(sys.executable, "-m", "training.bulk_import", "--events", str(history), "--items", str(items)),
        *("--table", aws.output("TableName"), "--lake-bucket", aws.output("LakeBucketName")),
        *("--user-key-secret-arn", aws.output("UserKeySecretArn")),
    ]
    subprocess.run(command, check=True, env=os.environ | aws.environment)
