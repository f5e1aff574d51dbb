"""The gate: a model is published only if nothing speaks against it, and the reasons are written down.

It compares the challenger with the baselines and with the model in service, all on the same held-out items,
and checks the data it was trained on. A refused model costs nothing: the one in service stays.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from personalization.ranking import read_metadata
from training.checks import Check
from training.drift import Drift
from training.evaluation import CHAMPION, MODEL, Evaluation

TOLERANCE: Final = 0.02
"""So much less than a rival, relatively, is let pass even where it is certain."""
MIN_USERS: Final = 20
"""Below this many held-out items no figure says anything."""
MAX_AGE: Final = timedelta(days=3)
MIN_VOLUME: Final = 0.5
"""Events against those the model in service was trained on; fewer mean that a source has dried up."""


class Verdict(msgspec.Struct, frozen=True):
    """What the gate decides, and why."""

    publish: bool
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> list[str]:
        """What speaks against the model; empty if it is published."""
        return [check.detail for check in self.checks if not check.passed]


class DataFacts(msgspec.Struct, frozen=True):
    """What a model was trained on."""

    events: int
    last_at: datetime | None


def facts_of(model: Path) -> DataFacts | None:
    """Read what the model in a folder was trained on; None if the folder holds no model."""
    metadata = read_metadata(model)
    return None if metadata is None else DataFacts(metadata.events, metadata.data_to)


def judge(
    evaluation: Evaluation, data: DataFacts | None, *, champion: DataFacts | None, now: datetime
) -> Verdict:
    """Decide whether a model may be published.

    Parameters
    ----------
    champion
        The data of the model in service; None if there is none yet.
    """
    data = data or DataFacts(0, None)
    checks = [
        _enough_users(evaluation.users),
        _fresh(data.last_at, now),
        *(_not_worse(evaluation, rival) for rival in evaluation.differences),
    ]
    if champion is not None:
        checks.append(_enough_events(data.events, champion.events))
    if evaluation.drift is not None:
        checks.append(_drift_earned(evaluation, evaluation.drift))
    return Verdict(all(check.passed for check in checks), tuple(checks))


def _not_worse(evaluation: Evaluation, rival: str) -> Check:
    """Refuse what is worse for certain: an interval that lies below what is let pass."""
    model, other = (evaluation.methods[method].ndcg[10] for method in (MODEL, rival))
    difference = evaluation.differences[rival]
    detail = (
        f"NDCG@10 {model:.4f} against {other:.4f} of {rival}: {difference.mean:+.4f}, "
        f"95% interval {difference.low:+.4f} to {difference.high:+.4f}"
    )
    return Check(f"not worse than {rival}", difference.high >= -TOLERANCE * other, detail)


def _drift_earned(evaluation: Evaluation, drift: Drift) -> Check:
    """Refuse a model that recommends quite other items than the one in service and isn't better for it."""
    gained = evaluation.differences[CHAMPION]
    detail = f"popularity of what is shown: {drift}; NDCG@10 {gained.mean:+.4f}, at least {gained.low:+.4f}"
    return Check("drift only for the better", not drift.drifted or gained.low > 0, detail)


def _enough_users(users: int) -> Check:
    detail = f"{users} users have a held-out item; {MIN_USERS} are needed"
    return Check("enough users to judge by", users >= MIN_USERS, detail)


def _fresh(last_at: datetime | None, now: datetime) -> Check:
    passed = last_at is not None and now - last_at <= MAX_AGE
    detail = f"the newest event is of {last_at}; it may be {MAX_AGE.days} days old"
    return Check("fresh data", passed, detail)


def _enough_events(events: int, before: int) -> Check:
    detail = f"{events:,} events against {before:,} of the model in service; {MIN_VOLUME:.0%} are needed"
    return Check("enough data", events >= before * MIN_VOLUME, detail)
