"""A deployed alarm rings on the local AWS: on its own expression, over its own metrics, and pages."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from e2e.waiting import eventually
from infrastructure.constructs.runbooks import REPOSITORY
from infrastructure.environments import LOCAL
from infrastructure.local.alarms import SIGNATURE, ringing_alarms
from infrastructure.local.lifecycle import LocalAws
from personalization.names import Metric

ENOUGH = 10 * LOCAL.click_rate_alarm.minimum_impressions
RUNBOOK = f"{REPOSITORY}/docs/runbooks/click-rate.md"
PAGE = "attune-local-observability-ClickRateAlone"
Alarm = dict[str, Any]


@pytest.fixture
def click_rate_alarm(platform: LocalAws) -> Alarm:
    alarms = platform.client("cloudwatch").describe_alarms()["MetricAlarms"]
    (alarm,) = [alarm for alarm in alarms if "ClickRateHomeRankingModel" in alarm["AlarmName"]]
    return dict(alarm)


def count(platform: LocalAws, alarm: Alarm, amounts: dict[str, int]) -> None:
    """Put counts into the series that the alarm watches."""
    watched = [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
    assert {metric["MetricName"] for metric in watched} == amounts.keys()
    for metric in watched:
        point = {
            "MetricName": metric["MetricName"],
            "Dimensions": metric["Dimensions"],
            "Timestamp": datetime.now(UTC),
            "Value": amounts[metric["MetricName"]],
            "Unit": "Count",
        }
        platform.client("cloudwatch").put_metric_data(Namespace=metric["Namespace"], MetricData=[point])


def state(platform: LocalAws, alarm: Alarm) -> tuple[str, str]:
    (found,) = platform.client("cloudwatch").describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    return found["StateValue"], found["StateReason"]


def told(platform: LocalAws, topic_arn: str) -> Callable[[], list[tuple[str, str]]]:
    """Subscribe to a topic; the result returns what has come since: alarm names and their new states."""
    queues = platform.client("sqs")
    url = queues.create_queue(QueueName=f"on-call-{time.time_ns()}")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    platform.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)

    def news() -> list[tuple[str, str]]:
        received = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        notices = [json.loads(json.loads(row["Body"])["Message"]) for row in received]
        return [(notice["AlarmName"], notice["NewStateValue"]) for notice in notices]

    return news


def test_a_low_click_rate_of_enough_impressions_rings_and_a_good_one_ends_it(
    platform: LocalAws, click_rate_alarm: Alarm
) -> None:
    news = told(platform, platform.output("PageTopicArn"))

    def after(impressions: int, clicks: int) -> Callable[[], tuple[str, str]]:
        def put_and_look() -> tuple[str, str]:
            # Again and again, for the hour that is judged may end meanwhile.
            count(platform, click_rate_alarm, {Metric.IMPRESSIONS: impressions, Metric.CLICKS: clicks})
            return state(platform, click_rate_alarm)

        return put_and_look

    _, reason = eventually(after(ENOUGH, 1), lambda found: found[0] == "ALARM", seconds=40)
    assert reason.startswith(SIGNATURE)
    eventually(news, lambda found: (PAGE, "ALARM") in found)
    ringing = {alarm.title: alarm for alarm in ringing_alarms(platform.client("cloudwatch"))}
    assert ringing.keys() >= {"ClickRateAlone", "ClickRateHomeRankingModel"}
    assert ringing["ClickRateAlone"].runbook == RUNBOOK
    _, reason = eventually(after(1, ENOUGH), lambda found: found[0] == "OK", seconds=40)
    assert reason.startswith(SIGNATURE)
    eventually(news, lambda found: (PAGE, "OK") in found)
