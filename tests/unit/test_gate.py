"""The gate and the way back: a bad model is refused with its reasons, a bad night is undone in one write."""

from datetime import timedelta

import numpy as np
import pytest

from factories import NOW, listed
from functions.roll_back_model import handler as roll_back_model
from functions.roll_back_model.dependencies import Dependencies
from personalization import keys
from personalization.adapters.memory import MemoryTable
from personalization.errors import Conflict, ModelError
from personalization.ports import ActiveModel
from personalization.profiles import at_seconds
from personalization.rollback import roll_back, roll_back_on_alarm
from training.drift import Drift
from training.evaluation import (
    CHAMPION,
    COVISITATION,
    MODEL,
    POPULARITY,
    Difference,
    Evaluation,
    Scores,
    compare,
)
from training.gate import DataFacts, Verdict, judge

DATA = DataFacts(events=10_000, last_at=NOW - timedelta(hours=2))


def verdict(
    *, users: int = 500, data: DataFacts = DATA, champion: DataFacts | None = DATA, **quality: float
) -> Verdict:
    """Judge a model of NDCG@10 0.10 against rivals, each difference known to 0.002."""
    methods = {MODEL: 0.10, COVISITATION: 0.08, POPULARITY: 0.03} | quality
    scores = {name: Scores(ndcg={10: value}, hit_rate={}, mrr={}) for name, value in methods.items()}
    gained = {name: methods[MODEL] - value for name, value in methods.items() if name != MODEL}
    differences = {name: Difference(mean, mean - 0.002, mean + 0.002) for name, mean in gained.items()}
    evaluation = Evaluation(users=users, methods=scores, differences=differences, recall_by_source={})
    return judge(evaluation, data, champion=champion, now=NOW)


def test_a_good_model_is_published() -> None:
    assert verdict(**{CHAMPION: 0.099}).publish
    assert verdict(**{CHAMPION: 0.099}).reasons == []


def test_the_first_model_needs_no_champion() -> None:
    assert verdict(champion=None).publish


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({CHAMPION: 0.12}, "of the model in service"),
        ({COVISITATION: 0.12}, "of co-visitation"),
        ({POPULARITY: 0.2}, "of popularity"),
        ({"users": 5}, "5 users have a held-out item"),
        ({"data": DataFacts(10_000, NOW - timedelta(days=9))}, "the newest event"),
        ({"data": DataFacts(10_000, None)}, "the newest event"),
        ({"data": DataFacts(4_000, NOW)}, "4,000 events against 10,000"),
    ],
)
def test_a_bad_model_is_refused_with_its_reason(changes: dict, reason: str) -> None:
    refused = verdict(**changes)
    assert not refused.publish
    (found,) = refused.reasons
    assert reason in found


def test_noise_is_no_reason() -> None:
    assert verdict(**{CHAMPION: 0.1015}).publish


def test_few_users_prove_nothing_and_many_do() -> None:
    better, worse = np.array([1, 2, 0, 3, 1]), np.array([2, 1, 0, 3, 4])
    assert compare(worse, better).high >= 0
    assert compare(np.tile(worse, 200), np.tile(better, 200)).high < 0
    assert compare(np.tile(better, 200), np.tile(worse, 200)).low > 0
    assert compare(better[:1], worse[:1]).high > 0


def serving(*versions: str) -> MemoryTable:
    table = MemoryTable()
    for version in versions:
        key = keys.segment_key(keys.POPULAR, version=version)
        table.write_list(key, listed("a", version=version), expires_at=0)
    table.activate(ActiveModel("v2", "v1", 0))
    return table


def test_rolling_back_twice_returns_to_where_it_began() -> None:
    table = serving("v1", "v2")
    assert roll_back(table, version=None, now=NOW).version == "v1"
    assert roll_back(table, version=None, now=NOW).version == "v2"


def test_a_version_without_lists_is_not_activated() -> None:
    table = serving("v2")
    with pytest.raises(ModelError, match="have expired"):
        roll_back(table, version=None, now=NOW)
    assert table.active is not None
    assert table.active.version == "v2"


WITHIN = timedelta(hours=24)


def alarmed(table: MemoryTable, hours: float) -> str:
    return roll_back_on_alarm(table, now=NOW + timedelta(hours=hours), within=WITHIN).version


def published(*versions: str) -> MemoryTable:
    table = serving(*versions)
    table.activate(ActiveModel("v2", "v1", at_seconds(NOW)))
    return table


def test_an_alarm_soon_after_a_publish_undoes_it_once() -> None:
    table = published("v1", "v2")
    assert alarmed(table, 3) == "v1"
    with pytest.raises(ModelError, match="put back in service already"):
        alarmed(table, 4)
    table.activate(ActiveModel("v3", "v1", at_seconds(NOW + timedelta(hours=9))))
    assert alarmed(table, 10) == "v1"


def test_an_alarm_long_after_a_publish_changes_nothing() -> None:
    table = published("v1", "v2")
    with pytest.raises(ModelError, match="more than 24 hours in service"):
        alarmed(table, 25)
    assert table.active is not None
    assert table.active.version == "v2"


def test_an_alarm_never_activates_a_version_without_lists() -> None:
    with pytest.raises(ModelError, match="have expired"):
        alarmed(published("v2"), 3)
    with pytest.raises(ModelError, match="no model is in service"):
        alarmed(MemoryTable(), 3)


def test_a_publish_between_reading_and_rolling_back_wins() -> None:
    class Overtaken(MemoryTable):
        def read(self, keys_wanted):
            found = super().read(keys_wanted)
            self.active = ActiveModel("v3", "v2", at_seconds(NOW))
            return found

    table = Overtaken(lists=published("v1", "v2").lists)
    table.active = ActiveModel("v2", "v1", at_seconds(NOW))
    with pytest.raises(Conflict):
        alarmed(table, 1)
    assert table.active.version == "v3"


def test_the_function_says_whether_it_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    table = published("v1", "v2")
    monkeypatch.setattr(roll_back_model, "dependencies", lambda: Dependencies(table, WITHIN))
    monkeypatch.setattr(roll_back_model, "now", lambda: NOW + timedelta(hours=1))
    ringing = {"detail": {"alarmName": "ClickRateAlone"}}
    assert roll_back_model.handler(ringing, None) == {"rolled_back": True, "version": "v1"}
    assert not roll_back_model.handler(ringing, None)["rolled_back"]


def drifted(low: float, psi: float = 0.4) -> Verdict:
    moved = Drift(psi=psi, limit=0.25, expected=1_000, actual=1_000, moved="tenth 1 by popularity")
    scores = {name: Scores(ndcg={10: 0.1}, hit_rate={}, mrr={}) for name in (MODEL, CHAMPION)}
    gained = {CHAMPION: Difference(low + 0.002, low, low + 0.004)}
    evaluation = Evaluation(users=500, methods=scores, differences=gained, recall_by_source={}, drift=moved)
    return judge(evaluation, DATA, champion=DATA, now=NOW)


def test_a_model_that_shows_quite_other_items_must_be_better_for_it() -> None:
    assert drifted(0.001).publish
    assert drifted(-0.001, psi=0.2).publish
    (reason,) = drifted(-0.001).reasons
    assert "PSI 0.400, drifted" in reason


def test_without_a_previous_model_there_is_no_way_back() -> None:
    table = serving("v2")
    table.activate(ActiveModel("v2", None, 0))
    with pytest.raises(ModelError, match="none to go back to"):
        roll_back(table, version=None, now=NOW)
    with pytest.raises(ModelError, match="no model is in service"):
        roll_back(MemoryTable(), version=None, now=NOW)
