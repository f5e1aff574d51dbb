"""Event lake -> dataset: acts, labels, point-in-time profiles; and the snapshot for the next night."""

from collections.abc import Sequence
from datetime import UTC, date
from pathlib import Path

import msgspec

from personalization.keys import MANIFEST
from training.calibration import CALIBRATION_FILE, calibrate
from training.data_checks import check_data, save_soundness
from training.data_report import data_page
from training.dataset import save_dataset
from training.folders import parse_job
from training.inventory import Inventory
from training.preparation import NeedsHistoryError, Night, prepare
from training.split import Split

NEEDS_HISTORY = 3
"""Exit code: run again with the whole lake and without a snapshot."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *events*, and, if any, *snapshot*, *inventory*; write *dataset* and *snapshots*."""
    job = parse_job(
        argv,
        "prepare",
        split={"type": Split, "default": Split.AUTO, "choices": list(Split)},
        accept={"nargs": "*", "default": [], "metavar": "CHECK", "help": "data checks that may fail"},
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
    soundness = check_data(history.statistics.days, dataset.log, now=job.now, accepted=job.options.accept)
    save_dataset(dataset, folders.output("dataset"))
    save_soundness(soundness, folders.output("dataset"))
    found = calibrate(history.statistics.days, before=job.now.astimezone(UTC).date())
    (folders.output("dataset") / CALIBRATION_FILE).write_bytes(msgspec.json.encode(found))
    (folders.output("dataset") / "soundness.html").write_text(data_page(soundness), encoding="utf-8")
    return 0


def _inventory(path: Path) -> Inventory | None:
    return msgspec.json.decode(path.read_bytes(), type=dict[date, str]) if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main())
