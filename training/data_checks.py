"""Looks at a night's data before anything is trained on it: a bad night is stopped with its reasons.

The newest complete day is held against the four weeks before. What fails may be accepted by name when a
person knows better: a sale that moves every distribution must not stop training when it is needed most.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import log
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np

from personalization.events import Item
from training.acts import ActLog, Acts, Ints
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

    Cost: linear in the acts and in the items.
    """
    today = now.astimezone(UTC).date()
    complete = {day: counts for day, counts in sorted(statistics.items()) if day < today}
    checks = [_fresh(acts.last_at, now)]
    newest = max(complete, default=None)
    if newest is not None:
        first = newest - timedelta(days=KEPT_DAYS)
        before = [counts for day, counts in complete.items() if first <= day < newest]
        checks += _counted(complete[newest], before)
        checks += _drifts(complete[newest], before, acts, newest)
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
    if len(before) < MIN_DAYS:
        return Check(
            "volume", True, f"{day.events:,} events; {len(before)} days before tell nothing of what is usual"
        )
    logs = [log(counts.events + 1) for counts in before]
    middle = median(logs)
    spread = max(1.4826 * median(abs(value - middle) for value in logs), MIN_SPREAD)
    score = (log(day.events + 1) - middle) / spread
    usual = median(counts.events for counts in before)
    detail = (
        f"{day.events:,} events against {usual:,.0f}, the median of {len(before)} days before: "
        f"{score:+.1f} deviations; {MAX_SCORE} are let pass"
    )
    return Check("volume", abs(score) <= MAX_SCORE, detail)


def _drifts(day: Day, before: Sequence[Day], log: ActLog, newest: date) -> Iterable[Check]:
    for trait in TRAITS:
        expected: dict[str, int] = {}
        for counts in before:
            for value, count in counts.traits.get(trait, {}).items():
                expected[value] = expected.get(value, 0) + count
        yield _stable(trait, drift(expected, day.traits.get(trait, {})))
    start = int(datetime(newest.year, newest.month, newest.day, tzinfo=UTC).timestamp())
    acts = log.acts
    past = acts.where((acts.at >= start - KEPT_DAYS * 86_400) & (acts.at < start))
    present = acts.where((acts.at >= start) & (acts.at < start + 86_400))
    yield _stable("category", _category_drift(past, present, log.items))
    yield _stable("popularity", _popularity_drift(past.item, present.item, len(log.items)))


def _stable(name: str, found: Drift) -> Check:
    few = min(found.expected, found.actual) < MIN_EVENTS
    detail = f"{found}{' (too few to judge)' if few else ''}"
    return Check(f"{name} mix" if name != "popularity" else name, few or not found.drifted, detail)


def _category_drift(past: Acts, present: Acts, items: Sequence[Item]) -> Drift:
    names = sorted({item.category or UNKNOWN for item in items})
    place = {name: number for number, name in enumerate(names)}
    of_item = np.array([place[item.category or UNKNOWN] for item in items], dtype=np.int64)
    counts = [np.bincount(of_item[acts.item], minlength=len(names)) for acts in (past, present)]
    shown = np.argsort(-counts[0], kind="stable")[:MAX_VALUES]
    expected, actual = ({names[code]: int(found[code]) for code in shown} for found in counts)
    expected[OTHER], actual[OTHER] = (int(found.sum() - found[shown].sum()) for found in counts)
    return drift(_shed(expected, actual), _shed(actual, expected))


def _shed(counts: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count or others[name]}


def _popularity_drift(past: Ints, present: Ints, items: int) -> Drift:
    """Tenths of the items by how popular they were; new ones are with the rarest."""
    before, now = (np.bincount(found, minlength=items) for found in (past, present))
    return drift_by_tenths(before, before, now)
