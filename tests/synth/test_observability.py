"""Alarms, whom they tell, and that they watch what the functions really write."""

import json
import re
from typing import Any

import pytest

from personalization.names import NAMESPACE, Dimension, Metric
from personalization.runtime.observability import count_by
from tests.synth.assembly import Assembly, Resource

ALARMS = {
    "AnalysesFailed",
    "ArchiveBatchesFailed",
    "ArchiveEventsBehind",
    "ClickRateHomeRankingCovisitation",
    "ClickRateHomeRankingModel",
    "ExposureDeliveriesFailed",
    "ExperimentsUnread",
    "ProfileBatchesFailed",
    "RefreshDeadLetters",
    "ServerErrors",
    "ModelRefused",
    "NightStopped",
    "TrainingFailed",
    "TrainingStartsMissed",
    "TrainingTimedOut",
    "UpdateProfilesBehind",
}
ALARMS_ON_NIGHTLY_TRAINING = {"ModelStale"}
ALARMS_ON_AUTOMATIC_ROLLBACK = {"ModelRolledBack", "RollbackFailed"}


def alarms(assembly: Assembly) -> dict[str, Resource]:
    return {
        resource.logical_id.removeprefix("Alarms").removeprefix("Rollout")[:-8]: resource
        for resource in assembly.of_type("AWS::CloudWatch::Alarm")
    }


def queries(alarm: Resource) -> list[dict[str, Any]]:
    """The metric math of an alarm."""
    return list(alarm.properties["Metrics"])


def test_what_on_call_must_know_has_an_alarm(assembly: Assembly) -> None:
    environment = assembly.environment
    unusual = {"UnusualTraffic"} if environment.capabilities.anomaly_detection else set()
    nightly = ALARMS_ON_NIGHTLY_TRAINING if environment.training.nightly else set()
    undone = ALARMS_ON_AUTOMATIC_ROLLBACK if environment.training.rollback_hours else set()
    assert alarms(assembly).keys() == ALARMS | unusual | nightly | undone


def test_every_alarm_tells_the_topic_when_it_begins_and_ends(assembly: Assembly) -> None:
    everything = [*alarms(assembly).items(), *_composites(assembly)]
    for name, alarm in everything:
        if _notified_by_composite(assembly, name):
            assert "AlarmActions" not in alarm.properties
            continue
        assert "Alerts" in str(alarm.properties["AlarmActions"]), name
        assert alarm.properties["OKActions"] == alarm.properties["AlarmActions"], name
        assert alarm.properties["AlarmDescription"]


def test_cloudwatch_may_publish_to_every_topic_that_an_alarm_tells(assembly: Assembly) -> None:
    everything = [*alarms(assembly).values(), *(alarm for _, alarm in _composites(assembly))]
    told = {action["Ref"] for alarm in everything for action in alarm.properties.get("AlarmActions", [])}
    account = assembly.environment.account or {"Ref": "AWS::AccountId"}
    assert told
    for topic in told:
        assert {
            "Sid": "AllowAlarmsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": {"Ref": topic},
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        } in _topic_statements(assembly, topic)


def test_a_consumer_counts_as_behind_only_after_its_batches_had_time_to_fill(assembly: Assembly) -> None:
    stream = assembly.environment.stream
    windows = {
        "UpdateProfilesBehind": stream.profile_window_seconds,
        "ArchiveEventsBehind": stream.archive_window_seconds,
    }
    for name, window in windows.items():
        assert alarms(assembly)[name].properties["Threshold"] > (window + 30) * 1_000, name


def test_two_days_without_a_publish_ring_even_when_no_training_ran(prod: Assembly) -> None:
    alarm = alarms(prod)["ModelStale"].properties
    assert (alarm["MetricName"], alarm["Statistic"]) == (Metric.LISTS_PUBLISHED, "Sum")
    assert alarm["Dimensions"] == [{"Name": Dimension.SERVICE, "Value": "run_training_step"}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (86_400, 2, 2)
    assert alarm["TreatMissingData"] == "breaching"


def test_what_is_watched_is_a_metric_that_the_functions_know(assembly: Assembly) -> None:
    watched = _own_metrics(assembly)
    assert {Metric.CLICKS, Metric.MODEL_NDCG} <= watched
    assert watched <= set(Metric)


def test_in_prod_a_low_click_rate_is_told_only_while_no_outage_explains_it(prod: Assembly) -> None:
    ((_, composite),) = _composites(prod)
    rule = str(composite.properties["AlarmRule"])
    explained = rule.index("NOT")
    assert rule.index("ClickRateHomeRankingModel") < explained
    assert rule.index("ServerErrors") > explained
    assert rule.index("UpdateProfilesBehind") > explained


def test_a_click_rate_counts_only_with_enough_impressions(assembly: Assembly) -> None:
    limits = assembly.environment.click_rate_alarm
    alarm = alarms(assembly)["ClickRateHomeRankingModel"]
    (expression,) = [query["Expression"] for query in queries(alarm) if "Expression" in query]
    assert expression == f"IF(shown >= {limits.minimum_impressions}, 100 * FILL(clicked, 0) / shown)"
    assert alarm.properties["ComparisonOperator"] == "LessThanThreshold"
    assert alarm.properties["Threshold"] == limits.floor_percent
    assert alarm.properties["TreatMissingData"] == "notBreaching"


def test_failed_requests_count_as_a_share_of_enough_requests(assembly: Assembly) -> None:
    (expression,) = [
        query["Expression"] for query in queries(alarms(assembly)["ServerErrors"]) if "Expression" in query
    ]
    assert expression == "IF(requests >= 20, 100 * FILL(errors, 0) / requests)"


def test_local_has_the_alarms_of_prod_but_for_what_needs_enough_traffic(
    local: Assembly, prod: Assembly
) -> None:
    for name in ALARMS:
        assert _shape(alarms(local)[name]) == _shape(alarms(prod)[name]), name
    for name in ("ClickRateHomeRankingModel", "ClickRateHomeRankingCovisitation"):
        assert _metrics(alarms(local)[name]) == _metrics(alarms(prod)[name])


def test_click_rates_are_watched_under_the_dimensions_that_the_function_writes(
    prod: Assembly, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in prod.lambdas["update_profiles"].variables.items():
        if variable.startswith("POWERTOOLS_"):
            monkeypatch.setenv(variable, value)
    dimensions = {
        Dimension.SURFACE: "home",
        Dimension.EXPERIMENT: "home-ranking",
        Dimension.VARIANT: "model",
    }
    count_by(Metric.CLICKS, dimensions)
    line = json.loads(capsys.readouterr().out)
    written = line["_aws"]["CloudWatchMetrics"][0]
    (names,) = written["Dimensions"]
    watched = _metrics(alarms(prod)["ClickRateHomeRankingModel"])[Metric.CLICKS]
    assert watched == (written["Namespace"], {name: line[name] for name in names}, 3600, "Sum")


def test_the_dashboard_shows_every_part_of_the_books(assembly: Assembly) -> None:
    body = str(assembly.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"])
    for metric in (
        Metric.EVENTS_ACCEPTED,
        Metric.EVENTS_REJECTED,
        Metric.EVENTS_APPLIED,
        Metric.EVENTS_DUPLICATE,
        Metric.EVENTS_FILTERED,
        Metric.EVENTS_QUARANTINED,
        Metric.EVENT_LAG,
        Metric.RECOMMENDATIONS_SERVED,
        Metric.MODEL_NDCG,
    ):
        assert f'"{metric}"' in body
    for variant in ("covisitation", "model"):
        assert f"home-ranking: {variant}" in body


def _composites(assembly: Assembly) -> list[tuple[str, Resource]]:
    return [(found.logical_id, found) for found in assembly.of_type("AWS::CloudWatch::CompositeAlarm")]


def _topic_statements(assembly: Assembly, topic: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in assembly.of_type("AWS::SNS::TopicPolicy")
        if {"Ref": topic} in policy.properties["Topics"]
        for statement in policy.properties["PolicyDocument"]["Statement"]
    ]


def _own_metrics(assembly: Assembly) -> set[str]:
    """Names of the custom metrics in alarms and on the dashboard."""
    watching = assembly.of_type("AWS::CloudWatch::Alarm")
    plain = [alarm.properties for alarm in watching if "MetricName" in alarm.properties]
    math = [query["MetricStat"]["Metric"] for alarm in watching for query in _stats(alarm)]
    in_alarms = {metric["MetricName"] for metric in plain + math if metric["Namespace"] == NAMESPACE}
    body = str(assembly.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"])
    return in_alarms | set(re.findall(rf'"{NAMESPACE}","(\w+)"', body))


def _stats(alarm: Resource) -> list[dict[str, Any]]:
    return [query for query in alarm.properties.get("Metrics", []) if "MetricStat" in query]


def _notified_by_composite(assembly: Assembly, name: str) -> bool:
    return assembly.environment.capabilities.composite_alarm and name.startswith("ClickRateHome")


def _shape(alarm: Resource) -> dict[str, Any]:
    """What of an alarm names neither a resource nor a number of requests."""
    naming = {"AlarmActions", "OKActions", "Dimensions", "Metrics"}
    shape = {name: value for name, value in alarm.properties.items() if name not in naming}
    return {**shape, "Queries": [query["Id"] for query in alarm.properties.get("Metrics", [])]}


def _metrics(alarm: Resource) -> dict[str, tuple[str, dict[str, str], int, str]]:
    """Namespace, dimensions, period in seconds and statistic, by metric name."""
    stats = [query["MetricStat"] for query in queries(alarm) if "MetricStat" in query]
    return {
        stat["Metric"]["MetricName"]: (
            stat["Metric"]["Namespace"],
            {dimension["Name"]: dimension["Value"] for dimension in stat["Metric"]["Dimensions"]},
            stat["Period"],
            stat["Stat"],
        )
        for stat in stats
    }
