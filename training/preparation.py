"""One night's dataset: from the last snapshot and the days since, or from the whole lake.

A split by time cuts at midnights, which the history keeps, so that a night costs what has come since. Where
too few users act within days the split is leave-last-out, whose moments are each user's own: those are found
by a replay of the whole lake, which a small shop can pay.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from training.dataset import Dataset
from training.history import History, last_complete_day
from training.inventory import Inventory, seal
from training.snapshots import replay
from training.sources import lake_days, lake_events
from training.split import Split, split


class NeedsHistoryError(RuntimeError):
    """The split is leave-last-out and the night began with a snapshot: it needs the whole lake."""


@dataclass(frozen=True)
class Night:
    """What a night has to go on.

    Attributes
    ----------
    events
        Folder of lake objects: all of the days after the snapshot, or of all days.
    snapshot
        Folder of the snapshot to begin with, checked; None to begin with nothing.
    inventory
        The lake's days, which a snapshot is made for; None to make none.
    """

    events: Path
    snapshot: Path | None
    inventory: Inventory | None
    now: datetime


def prepare(night: Night, how: Split, snapshots: Path) -> tuple[Dataset, History]:
    """Make the dataset; leave a snapshot of the last complete day, if it is newer, below `snapshots`.

    Raises
    ------
    NeedsHistoryError
        It has to be done again with the whole lake.
    """
    history = History.load(night.snapshot) if night.snapshot else History()
    left = _read(history, night, snapshots)
    log = history.log()
    how, labels = split(log.acts, len(log.users), how)
    if how is Split.TIME:
        profiles = {
            stage: history.profiles_at(log.users, int(label.cut[0])) for stage, label in labels.items()
        }
    elif night.snapshot:
        raise NeedsHistoryError("too few users act within days to split by time")
    else:
        profiles = replay(lake_events(night.events), log.users, labels, log.merged_into)
    if left is not None and night.inventory is not None:
        seal(left, inventory=night.inventory, how=how)
    return Dataset(log, labels, profiles, how), history


def _read(history: History, night: Night, snapshots: Path) -> Path | None:
    """Read the days in order, and save the history as it was after the last complete one; return where."""
    left = None
    days = lake_days(night.events)
    complete = [day for day in days if day <= last_complete_day(night.now)]
    for day in complete:
        history.read(day, days.pop(day))
    if complete and night.inventory is not None:
        left = snapshots / f"date={complete[-1]}"
        history.save(left)
    for day, paths in days.items():
        history.read(day, paths)
    history.prune()
    return left
