"""Looks at a night's data before anything is trained on it: a bad night is stopped with its reasons.

The newest complete day is held against the four weeks before. What fails may be accepted by name when a
person knows better: a sale that moves every distribution must not stop training when it is needed most.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import log
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np

from personalization.events import Item
from training.acts import ActLog, Acts
from training.checks import Check
from training.drift import Drift, drift, drift_by_tenths
from training.history import KEPT_DAYS
from training.statistics import MAX_VALUES, OTHER, UNKNOWN, Day

SOUNDNESS_FILE: Final = "soundness.json"
MAX_UNREADABLE: Final = 0.01
MAX_DUPLICATES: Final = 0.1
"""Clients that send again send few again; more is a client gone wrong."""
MAX_AGE: Final = timedelta(days=3)
MAX_SCORE: Final = 3.5
"""Modified z-score beyond which a value is an outlier (Iglewicz and Hoaglin, 1993)."""
MIN_SPREAD: Final = 0.2
"""Of the logarithms of daily volumes: shops as regular as a clock may still double or halve."""
RANGE: Final = 2.0
"""Twice the most and half the least of the days before are no outliers, however regular the others were."""
USUAL_DAYS: Final = 7
USUAL_FACTOR: Final = 2.0
"""A distribution may move twice as far as on any day of the week before: some shops are all novelty."""
MIN_DAYS: Final = 7
"""Fewer days tell nothing of what is usual: a week has its shape."""
MIN_EVENTS: Final = 500
"""Of fewer, shares say nothing."""
TRAITS: Final = ("event type", "hour", "device", "country")


class Soundness(msgspec.Struct, frozen=True):
    """Whether a night may train, and why."""

    train: bool
    checks: tuple[Check, ...]
    day: date | None
    accepted: tuple[str, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """What speaks against the night's data."""
        return [
            f"{check.name}: {check.detail}"
            for check in self.checks
            if not check.passed and check.name not in self.accepted
        ]


def save_soundness(soundness: Soundness, folder: Path) -> None:
    """Write a verdict beside the dataset it is about."""
    body = {**msgspec.to_builtins(soundness), "reasons": soundness.reasons}
    (folder / SOUNDNESS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(body)))


def read_soundness(folder: Path) -> Soundness | None:
    """Read what `save_soundness` wrote; None for a dataset that was never judged."""
    path = folder / SOUNDNESS_FILE
    return msgspec.json.decode(path.read_bytes(), type=Soundness) if path.exists() else None


def check_data(
    statistics: Mapping[date, Day], acts: ActLog, *, now: datetime, accepted: Collection[str] = ()
) -> Soundness:
    """Judge the newest complete day with events of the days kept; `accepted` names checks that may fail.

    Cost: eight times linear in the acts and in the items.
    """
    today = now.astimezone(UTC).date()
    complete = {day: counts for day, counts in sorted(statistics.items()) if day < today}
    checks = [_fresh(acts.last_at, now)]
    newest = max(complete, default=None)
    if newest is not None:
        first = newest - timedelta(days=KEPT_DAYS)
        before = [counts for day, counts in complete.items() if first <= day < newest]
        checks += _counted(complete[newest], before)
        checks += _drifts(complete, newest, acts)
    allowed = tuple(sorted(accepted))
    passed = all(check.passed or check.name in allowed for check in checks)
    return Soundness(passed, tuple(checks), newest, allowed)


def _fresh(last_at: datetime | None, now: datetime) -> Check:
    passed = last_at is not None and now - last_at <= MAX_AGE
    return Check("freshness", passed, f"the newest event is of {last_at}; it may be {MAX_AGE.days} days old")


def _counted(day: Day, before: Sequence[Day]) -> list[Check]:
    return [
        _share("schema", "can't be read", day.unreadable, day.records, MAX_UNREADABLE),
        _share("duplicates", "were sent before", day.duplicates, day.events, MAX_DUPLICATES),
        _volume(day, before),
    ]


def _share(name: str, words: str, part: int, whole: int, most: float) -> Check:
    share = part / whole if whole else 0.0
    few = " (too few to judge)" if whole < MIN_EVENTS else ""
    detail = f"{part:,} of {whole:,} records {words}, {share:.2%}; {most:.0%} may{few}"
    return Check(name, share <= most or bool(few), detail)


def _volume(day: Day, before: Sequence[Day]) -> Check:
    """Compare logarithms: half as many is as unusual as twice as many."""
    volumes = [counts.events for counts in before]
    if len(before) < MIN_DAYS or median(volumes) < MIN_EVENTS:
        detail = f"{day.events:,} events; the {len(before)} days before are too few, or too quiet, to compare"
        return Check("volume", True, detail)
    logs = [log(events + 1) for events in volumes]
    middle = median(logs)
    spread = max(1.4826 * median(abs(value - middle) for value in logs), MIN_SPREAD)
    score = (log(day.events + 1) - middle) / spread
    low, high = min(volumes) / RANGE, max(volumes) * RANGE
    detail = (
        f"{day.events:,} events against {median(volumes):,.0f}, the median of {len(before)} days before: "
        f"{score:+.1f} deviations; {MAX_SCORE} are let pass, and {low:,.0f} to {high:,.0f} events"
    )
    return Check("volume", abs(score) <= MAX_SCORE or low <= day.events <= high, detail)


def _drifts(days: Mapping[date, Day], newest: date, log: ActLog) -> Iterator[Check]:
    """Hold the newest day's distributions against the four weeks before, and how they usually move."""
    found = _moved(days, newest, log)
    usual = [_moved(days, day, log) for day in days if 0 < (newest - day).days <= USUAL_DAYS]
    for name, drift_ in found.items():
        most = max((moved[name].psi for moved in usual), default=0.0)
        limit = max(drift_.limit, round(USUAL_FACTOR * most, 5))
        judged = msgspec.structs.replace(drift_, limit=limit)
        yield Check(name, not judged.drifted, str(judged))


def _moved(days: Mapping[date, Day], day: date, log: ActLog) -> dict[str, Drift]:
    """How far a day's distributions are from those of the four weeks before."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    acts = log.acts
    past = acts.where((acts.at >= start - KEPT_DAYS * 86_400) & (acts.at < start))
    present = acts.where((acts.at >= start) & (acts.at < start + 86_400))
    users = len(np.unique(past.user)), len(np.unique(present.user))
    found: dict[str, Drift] = {}
    for trait in TRAITS:
        expected: Counter[str] = Counter()
        for other, counts in days.items():
            if 0 < (day - other).days <= KEPT_DAYS:
                expected.update(counts.traits.get(trait, {}))
        found[f"{trait} mix"] = drift(expected, days[day].traits.get(trait, {}), users)
    found["category mix"] = _category_drift(past, present, log.items, users)
    was, is_ = (np.bincount(part.item, minlength=len(log.items)) for part in (past, present))
    # New items are with the rarest.
    found["popularity"] = drift_by_tenths(was, was, is_, users)
    return found


def _category_drift(past: Acts, present: Acts, items: Sequence[Item], users: tuple[int, int]) -> Drift:
    names = sorted({item.category or UNKNOWN for item in items})
    place = {name: number for number, name in enumerate(names)}
    of_item = np.array([place[item.category or UNKNOWN] for item in items], dtype=np.int64)
    counts = [np.bincount(of_item[acts.item], minlength=len(names)) for acts in (past, present)]
    shown = np.argsort(-counts[0], kind="stable")[:MAX_VALUES]
    expected, actual = ({names[code]: int(found[code]) for code in shown} for found in counts)
    expected[OTHER], actual[OTHER] = (int(found.sum() - found[shown].sum()) for found in counts)
    return drift(_shed(expected, actual), _shed(actual, expected), users)


def _shed(counts: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count or others[name]}
