"""Alarms, whom they tell, and that they watch what the functions really write."""

import json
import re
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from infrastructure.app import define
from infrastructure.environments import LOCAL
from infrastructure.stacks.observability import ObservabilityStack
from personalization.names import Dimension, Metric, Surface
from personalization.runtime.observability import count_by
from tests.synth.assembly import Assembly, Resource
from tests.synth.conftest import app_without_bundling

OUTAGES = {
    "AnswersDegraded",
    "RequestsThrottled",
    "ServerErrors",
    "SlowAnswers",
    "StreamFull",
    "TableThrottled",
    "UpdateProfilesBehind",
}
"""What users feel at once; one composite alarm pages for all of it."""
CLICKS = {"ClickRateHomeRankingCovisitation", "ClickRateHomeRankingModel"} | {
    f"SurfaceClickRate{surface.title()}" for surface in Surface
}
"""What a second one pages for, while no outage explains it."""
ALARMS = {
    "AnalysesFailed",
    "ArchiveBatchesFailed",
    "ArchiveEventsBehind",
    "ErasureDeadLetters",
    "ErasureRoundsFailed",
    "EventsQuarantined",
    "FallbackShare",
    "FunctionsFailing",
    "FunctionsThrottled",
    "ExperimentsUnread",
    "ExposureDeliveriesFailed",
    "ModelRefused",
    "NightStopped",
    "ProfileBatchesFailed",
    "RefreshDeadLetters",
    "SampleRatioHomeRanking",
    "TrainingFailed",
    "TrainingStartsMissed",
    "TrainingTimedOut",
    *OUTAGES,
    *CLICKS,
}
ALARMS_ON_NIGHTLY_TRAINING = {"ModelStale"}
ALARMS_ON_AUTOMATIC_ROLLBACK = {"ModelRolledBack", "RollbackFailed"}
ALARMS_ON_BANDS = {"UnusualTraffic"} | {f"SurfaceClickRateUnusual{surface.title()}" for surface in Surface}
COMPOSITES = {"ClickRateAlone", "Outage"}
PRICE_OF_AN_ALARMED_METRIC, PRICE_OF_A_COMPOSITE = 0.10, 0.50


def alarms(assembly: Assembly) -> dict[str, Resource]:
    return {resource.logical_id.removeprefix("Alarms")[:-8]: resource for resource in assembly.alarms}


def composites(assembly: Assembly) -> dict[str, Resource]:
    return {
        resource.logical_id.removeprefix("Alarms")[:-8]: resource
        for resource in assembly.of_type("AWS::CloudWatch::CompositeAlarm")
    }


def queries(alarm: Resource) -> list[dict[str, Any]]:
    """The metric math of an alarm."""
    return list(alarm.properties["Metrics"])


def test_what_on_call_must_know_has_an_alarm(assembly: Assembly) -> None:
    environment = assembly.environment
    unusual = ALARMS_ON_BANDS if environment.capabilities.anomaly_detection else set()
    nightly = ALARMS_ON_NIGHTLY_TRAINING if environment.training.nightly else set()
    undone = ALARMS_ON_AUTOMATIC_ROLLBACK if environment.training.rollback_hours else set()
    assert alarms(assembly).keys() == ALARMS | unusual | nightly | undone
    assert composites(assembly).keys() == COMPOSITES


def test_every_alarm_tells_a_topic_when_it_begins_and_ends_or_is_part_of_one_that_does(
    assembly: Assembly,
) -> None:
    for name, alarm in {**alarms(assembly), **composites(assembly)}.items():
        if name in OUTAGES | CLICKS:
            assert "AlarmActions" not in alarm.properties
            continue
        topic = "Pages" if name in COMPOSITES else "Alerts"
        assert topic in str(alarm.properties["AlarmActions"]), name
        assert alarm.properties["OKActions"] == alarm.properties["AlarmActions"], name


def test_cloudwatch_may_publish_to_every_topic_that_an_alarm_tells(assembly: Assembly) -> None:
    everything = [*alarms(assembly).values(), *composites(assembly).values()]
    told = {action["Ref"] for alarm in everything for action in alarm.properties.get("AlarmActions", [])}
    assert len(told) == 2
    for topic in told:
        assert _may_publish(assembly, "cloudwatch.amazonaws.com", "AllowAlarmsOfThisAccount", topic)


def test_the_bill_is_watched_where_there_is_one(assembly: Assembly) -> None:
    budgets = assembly.of_type("AWS::Budgets::Budget")
    assert bool(budgets) is assembly.environment.capabilities.budgets
    for budget in budgets:
        limit = budget.properties["Budget"]["BudgetLimit"]
        assert limit == {"Amount": assembly.environment.limits.monthly_dollars, "Unit": "USD"}
        notices = budget.properties["NotificationsWithSubscribers"]
        assert {row["Notification"]["NotificationType"] for row in notices} == {"ACTUAL", "FORECASTED"}
        for row in notices:
            (subscriber,) = row["Subscribers"]
            topic = subscriber["Address"]["Ref"]
            assert _may_publish(assembly, "budgets.amazonaws.com", "AllowBudgetsOfThisAccount", topic)


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


def test_one_page_stands_for_all_that_users_feel_at_once(assembly: Assembly) -> None:
    rule = str(composites(assembly)["Outage"].properties["AlarmRule"])
    assert "NOT" not in rule
    assert {name for name in alarms(assembly) if f"Alarms{name}" in rule} == OUTAGES


def test_a_low_click_rate_pages_only_while_no_outage_explains_it(assembly: Assembly) -> None:
    rule = str(composites(assembly)["ClickRateAlone"].properties["AlarmRule"])
    clicks, _, explained = rule.partition("AND (NOT")
    assert {name for name in alarms(assembly) if f"Alarms{name}" in clicks} == CLICKS
    assert "AlarmsOutage" in explained


def test_what_a_deployment_bakes_under_is_what_users_would_feel_of_it() -> None:
    app = app_without_bundling(Path(mkdtemp()))
    define(app, LOCAL)
    (stack,) = [child for child in app.node.children if isinstance(child, ObservabilityStack)]
    names = {alarm.node.id for alarm in stack.bake_alarms}
    assert names == {"ExperimentsUnread", "ServerErrors", "FallbackShare", "SurfaceClickRateHome"}


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
        of_local, of_prod = (_metrics(alarms(assembly)[name]) for assembly in (local, prod))
        assert {metric: row[1:] for metric, row in of_local.items()} == {
            metric: row[1:] for metric, row in of_prod.items()
        }


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
    body = str(assembly.one("AWS::CloudWatch::Dashboard", "Dashboard").properties["DashboardBody"])
    for metric in (
        Metric.EVENTS_ACCEPTED,
        Metric.EVENTS_REJECTED,
        Metric.EVENTS_APPLIED,
        Metric.EVENTS_DUPLICATE,
        Metric.EVENTS_FILTERED,
        Metric.EVENTS_QUARANTINED,
        Metric.EVENT_LAG,
        Metric.REFRESH_LAG,
        Metric.RECOMMENDATIONS_SERVED,
    ):
        assert f'"{metric}"' in body


def test_alarms_cost_less_than_ten_dollars_a_month(prod: Assembly) -> None:
    watched = sum(max(len(_stats(alarm)), 1) for alarm in alarms(prod).values())
    # A band counts as two more: https://aws.amazon.com/cloudwatch/pricing/
    watched += 2 * len(ALARMS_ON_BANDS)
    price = watched * PRICE_OF_AN_ALARMED_METRIC + len(composites(prod)) * PRICE_OF_A_COMPOSITE
    assert 0 < price < 10


def _may_publish(assembly: Assembly, service: str, sid: str, topic: str) -> bool:
    account = assembly.environment.account or {"Ref": "AWS::AccountId"}
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": {"Ref": topic},
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return statement in _topic_statements(assembly, topic)


def _topic_statements(assembly: Assembly, topic: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in assembly.of_type("AWS::SNS::TopicPolicy")
        if {"Ref": topic} in policy.properties["Topics"]
        for statement in policy.properties["PolicyDocument"]["Statement"]
    ]


def _own_metrics(assembly: Assembly) -> set[str]:
    """Names of the custom metrics in alarms and on the dashboard."""
    watching, own = assembly.alarms, assembly.environment.metrics_namespace
    plain = [alarm.properties for alarm in watching if "MetricName" in alarm.properties]
    math = [query["MetricStat"]["Metric"] for alarm in watching for query in _stats(alarm)]
    in_alarms = {metric["MetricName"] for metric in plain + math if metric["Namespace"] == own}
    body = str([board.properties for board in assembly.of_type("AWS::CloudWatch::Dashboard")])
    return in_alarms | set(re.findall(rf'"{own}","(\w+)"', body))


def _stats(alarm: Resource) -> list[dict[str, Any]]:
    return [query for query in alarm.properties.get("Metrics", []) if "MetricStat" in query]


def _shape(alarm: Resource) -> dict[str, Any]:
    """What of an alarm names neither a resource, nor the deployment, nor a number of requests."""
    naming = {"AlarmActions", "OKActions", "Dimensions", "Metrics", "Namespace"}
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
