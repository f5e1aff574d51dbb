"""Event lake -> dataset: acts, labels, point-in-time profiles; users in shards; the next night's snapshot."""

from collections.abc import Sequence
from datetime import UTC, date
from pathlib import Path

import msgspec

from personalization.errors import InvalidInput
from personalization.keys import MANIFEST
from training.calibration import CALIBRATION_FILE, calibrate
from training.capacity import SIZE_FILE, Size
from training.data_checks import check_data, save_soundness
from training.data_report import data_page
from training.dataset import Dataset, save_dataset
from training.folders import Folders, parse_job
from training.inventory import Inventory
from training.preparation import NeedsHistoryError, Night, prepare
from training.split import Split
from training.user_shards import save_user_shards

NEEDS_HISTORY = 3
"""Exit code: run again with the whole lake and without a snapshot."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read *events*, and, if any, *snapshot*, *inventory*; write *dataset*, *users* and *snapshots*."""
    job = parse_job(
        argv,
        "prepare",
        split={"type": Split, "default": Split.AUTO, "choices": list(Split)},
        shard_count={"type": int, "default": 1},
        accept={"type": _names, "default": "none", "metavar": "CHECK,…", "help": "data checks that may fail"},
    )
    folders = job.folders
    snapshot = folders.input("snapshot")
    night = Night(
        events=folders.input("events"),
        snapshot=snapshot if (snapshot / MANIFEST).exists() else None,
        inventory=_inventory(folders.input("inventory") / "inventory.json"),
        now=job.now,
    )
    try:
        dataset, history = prepare(night, job.options.split, folders.output("snapshots"))
    except NeedsHistoryError:
        return NEEDS_HISTORY
    if dataset.log.events == 0:
        raise InvalidInput(
            "no_events", "the lake holds no event of a user yet; send some, or import a history"
        )
    soundness = check_data(history.statistics.days, dataset.log, now=job.now, accepted=job.options.accept)
    _save(dataset, folders, job.options.shard_count)
    save_soundness(soundness, folders.output("dataset"))
    found = calibrate(history.statistics.days, before=job.now.astimezone(UTC).date())
    (folders.output("dataset") / CALIBRATION_FILE).write_bytes(msgspec.json.encode(found))
    (folders.output("dataset") / "soundness.html").write_text(data_page(soundness), encoding="utf-8")
    return 0


def _names(text: str) -> list[str]:
    """Split a list of names; a state machine can't leave an argument out, hence the word for none."""
    return [] if text == "none" else text.split(",")


def _save(dataset: Dataset, folders: Folders, shard_count: int) -> None:
    log, folder = dataset.log, folders.output("dataset")
    save_dataset(dataset, folder)
    save_user_shards(dataset, folders.output("users"), shard_count)
    size = Size(events=log.events, users=len(log.users), items=len(log.items))
    (folder / SIZE_FILE).write_bytes(msgspec.json.encode(size))


def _inventory(path: Path) -> Inventory | None:
    return msgspec.json.decode(path.read_bytes(), type=dict[date, str]) if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main())
