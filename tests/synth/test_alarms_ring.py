"""Each alarm of the template over planted metrics: it rings when it should, and not before."""

from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.environments import LOCAL
from infrastructure.local.alarms import judge, queries
from infrastructure.local.metric_math import Value
from tests.synth.assembly import Assembly

ENOUGH = LOCAL.click_rate_alarm.minimum_impressions
SLOW = LOCAL.limits.p99_milliseconds
Points = Mapping[str, Value]

RINGS: list[tuple[str, Points, Points]] = [
    ("ServerErrors", {"requests": 100, "errors": 2}, {"requests": 100, "errors": 1}),
    ("ServerErrors", {"requests": 20, "errors": 1}, {"requests": 19, "errors": 19}),
    ("SlowAnswers", {"requests": 300, "slowest": SLOW + 1}, {"requests": 299, "slowest": 60 * SLOW}),
    ("SlowAnswers", {"requests": 900, "slowest": SLOW + 1}, {"requests": 900, "slowest": SLOW}),
    ("RequestsThrottled", {"requests": 100, "throttled": 2}, {"requests": 100, "throttled": None}),
    (
        "AnswersDegraded",
        {"requests": 100, "of_get_recommendations": 1, "of_get_trending": 1},
        {"requests": 100, "of_get_recommendations": 1, "of_get_trending": None},
    ),
    ("UpdateProfilesBehind", {"plain": 60_001}, {"plain": 60_000}),
    ("ArchiveEventsBehind", {"plain": 300_001}, {"plain": None}),
    ("StreamFull", {"plain": 1}, {"plain": 0}),
    ("TableThrottled", {"read": None, "write": 1}, {"read": 0, "write": None}),
    ("FunctionsFailing", {"updateProfiles": 1}, {"updateProfiles": 0, "archiveEvents": None}),
    ("FunctionsThrottled", {"getTrending": 1, "ingestEvents": 2}, {"getTrending": 0}),
    ("EventsQuarantined", {"plain": 1}, {"plain": 0}),
    ("RefreshDeadLetters", {"plain": 1}, {"plain": 0}),
    ("ErasureDeadLetters", {"plain": 1}, {"plain": 0}),
    ("ErasureRoundsFailed", {"plain": 1}, {"plain": 0}),
    ("ProfileBatchesFailed", {"plain": 1}, {"plain": 0}),
    ("ArchiveBatchesFailed", {"plain": 1}, {"plain": 0}),
    ("TrainingStartsMissed", {"plain": 1}, {"plain": 0}),
    ("FallbackShare", {"list": 140, "popular": 160}, {"list": 100, "stale_list": 50, "segment": 150}),
    ("FallbackShare", {"none": 300}, {"none": 299}),
    ("TrainingFailed", {"plain": 1}, {"plain": 0}),
    ("TrainingTimedOut", {"plain": 1}, {"plain": None}),
    ("NightStopped", {"plain": 1}, {"plain": 0}),
    ("ModelRefused", {"plain": 1}, {"plain": 0}),
    (
        "ClickRateHomeRankingModel",
        {"shown": ENOUGH, "clicked": 0.009 * ENOUGH},
        {"shown": ENOUGH, "clicked": 0.01 * ENOUGH},
    ),
    (
        "ClickRateHomeRankingModel",
        {"shown": ENOUGH, "clicked": None},
        {"shown": ENOUGH - 1, "clicked": None},
    ),
    *(
        (
            f"SurfaceClickRate{surface}",
            {"shown": ENOUGH, "clicked": 0.009 * ENOUGH},
            {"shown": ENOUGH - 1, "clicked": 0},
        )
        for surface in ("Home", "Product", "Other")
    ),
    ("ExperimentsUnread", {"answering": 1, "refreshing": 2}, {"answering": 2, "refreshing": None}),
    ("AnalysesFailed", {"plain": 1}, {"plain": 0}),
    ("ExposureDeliveriesFailed", {"plain": 1}, {"plain": 0}),
    ("SampleRatioHomeRanking", {"plain": 0.0009}, {"plain": 0.001}),
]
OF_SOME = {"ModelStale", "ModelRolledBack", "RollbackFailed"}
LEARNED = {"UnusualTraffic"} | {f"SurfaceClickRateUnusual{name}" for name in ("Home", "Product", "Other")}
"""Alarms on bands that only CloudWatch can learn."""


def alarm_named(assembly: Assembly, name: str) -> dict[str, Any]:
    """An alarm's properties as DescribeAlarms would show them."""
    (found,) = [
        resource.properties for resource in assembly.alarms if resource.logical_id[len("Alarms") : -8] == name
    ]
    return {"StateValue": "OK", **found}


def state(alarm: dict[str, Any], *periods: Points) -> str:
    ids = [query["Id"] for query in queries(alarm) if "MetricStat" in query]
    assert {id_ for points in periods for id_ in points} <= set(ids)
    return judge(alarm, [{id_: points.get(id_) for id_ in ids} for points in periods]).state


@pytest.mark.parametrize(
    ("name", "bad", "good"), RINGS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_an_alarm_rings_on_what_it_is_for_and_on_nothing_less(
    local: Assembly, name: str, bad: Points, good: Points
) -> None:
    alarm = alarm_named(local, name)
    periods, needed = alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]
    assert state(alarm, *[good] * periods) == "OK"
    assert state(alarm, *[bad] * needed, *[good] * (periods - needed)) == "ALARM"
    if needed > 1:
        assert state(alarm, *[bad] * (needed - 1), *[good] * (periods - needed + 1)) == "OK"


def test_every_alarm_was_tried(prod: Assembly) -> None:
    names = {alarm.logical_id[len("Alarms") : -8] for alarm in prod.alarms}
    tried = {name for name, _, _ in RINGS} | {"ClickRateHomeRankingCovisitation"}
    assert names == tried | OF_SOME | LEARNED


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("ModelStale", {"plain": None}, {"plain": 1}),
        ("ModelRolledBack", {"plain": 1}, {"plain": 0}),
        ("RollbackFailed", {"plain": 1}, {"plain": 0}),
    ],
)
def test_an_alarm_of_prod_rings_too(prod: Assembly, name: str, bad: Points, good: Points) -> None:
    alarm = alarm_named(prod, name)
    periods = alarm["EvaluationPeriods"]
    assert state(alarm, *[bad] * periods) == "ALARM"
    assert state(alarm, *[good] * periods) == "OK"


def test_without_an_analysis_the_split_stays_as_it_was_judged(local: Assembly) -> None:
    alarm = alarm_named(local, "SampleRatioHomeRanking")
    assert state({**alarm, "StateValue": "ALARM"}, {"plain": None}) == "ALARM"
    assert state({**alarm, "StateValue": "OK"}, {"plain": None}) == "OK"


def test_no_alarm_watches_more_metrics_than_cloudwatch_takes(assembly: Assembly) -> None:
    for alarm in assembly.of_type("AWS::CloudWatch::Alarm"):
        stats = [
            query for query in queries({"StateValue": "OK", **alarm.properties}) if "MetricStat" in query
        ]
        assert 1 <= len(stats) <= 10, alarm.logical_id
