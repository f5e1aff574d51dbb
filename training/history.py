"""All that `prepare` knows of the lake, read day by day; it rests as a snapshot between two nights.

A history that was saved after some day and reads on equals, byte for byte, one that read all days at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from training.acts import ActCollector, ActLog
from training.acts_files import load_log, load_slates, save_log, save_slates
from training.daily_profiles import DAY, DailyProfiles
from training.persons import visitors_of
from training.snapshots import CHUNK_EVENTS, StoredProfiles
from training.sources import KnownRecords, day_events
from training.split import WINDOW_DAYS
from training.statistics import Day, Statistics

KEPT_DAYS: Final = 2 * WINDOW_DAYS[-1]
"""Midnights before the end of the newest act's day that a split by time may cut at."""
_EPOCH: Final = date(1970, 1, 1)


@dataclass
class History:
    """Acts, profiles at each midnight, daily statistics, and the records read.

    All is kept as it was sent. `log` and `profiles_at` give what a visitor ever did to the user whom they
    turned out to be.

    Cost of reading: linear in the day's events. Memory: that of acts, profiles and the records' hashes.
    """

    acts: ActCollector = field(default_factory=ActCollector)
    profiles: DailyProfiles = field(default_factory=DailyProfiles)
    records: KnownRecords = field(default_factory=KnownRecords)
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def horizon(self) -> int:
        """First day, since 1970, whose midnight is kept."""
        return self.acts.last_act_at // DAY + 1 - KEPT_DAYS

    def read(self, day: date, paths: Sequence[Path]) -> None:
        """Read one day's objects; days have to be read in order."""
        events = day_events(day, paths, self.records, self.statistics.record)
        for chunk in batched(events, CHUNK_EVENTS, strict=False):
            for event in chunk:
                self.acts.add(event)
            of_users = [event for event in chunk if event.user_key]
            for event in of_users:
                self.statistics.event(event)
            repeats = self.profiles.fold(of_users, horizon=self.horizon)
            for event in repeats:
                self.statistics.duplicate(event)
            again = set(map(id, repeats))
            for event in of_users:
                if id(event) not in again:
                    self.statistics.exposure(event)

    def log(self) -> ActLog:
        """What persons did."""
        return self.acts.log()

    def profiles_at(self, users: Sequence[str], cut: int) -> StoredProfiles:
        """Return persons' profiles as `DailyProfiles.at` does."""
        return self.profiles.at(users, cut, visitors_of(self.acts.merged_into))

    def prune(self) -> None:
        """Forget what lies before the horizon."""
        self.profiles.prune(self.horizon)
        self.statistics.prune(_EPOCH + timedelta(days=max(self.horizon, 0)))

    def save(self, folder: Path) -> None:
        """Write the history into a folder; equal histories are equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        self.prune()
        save_log(self.acts.log(as_sent=True), folder)
        save_slates(self.acts.slates(), folder)
        self.profiles.save(folder)
        days = dict(sorted(self.statistics.days.items()))
        (folder / "statistics.json").write_bytes(msgspec.json.encode(days))
        np.save(folder / "records.imported.npy", _sorted(self.records.imported))
        for day, numbers in self.records.streamed.items():
            np.save(folder / f"records.{day}.npy", _sorted(numbers))

    @classmethod
    def load(cls, folder: Path) -> "History":
        """Read what `save` wrote."""
        statistics = msgspec.json.decode((folder / "statistics.json").read_bytes(), type=dict[date, Day])
        return cls(
            ActCollector(before=load_log(folder), slates=load_slates(folder)),
            DailyProfiles.load(folder),
            KnownRecords(dict(_streamed(folder)), set(np.load(folder / "records.imported.npy").tolist())),
            Statistics(statistics),
        )


def _streamed(folder: Path) -> Iterator[tuple[date, set[int]]]:
    for path in sorted(folder.glob("records.*-*-*.npy")):
        yield date.fromisoformat(path.name.split(".")[1]), set(np.load(path).tolist())


def _sorted(numbers: set[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.sort(np.fromiter(numbers, dtype=np.uint64, count=len(numbers)))


def last_complete_day(now: datetime) -> date:
    """Day before that of `now` (UTC): only a consumer that is behind still files records under it."""
    return now.astimezone(UTC).date() - timedelta(days=1)
