from typing import Any

import boto3
import pytest
from moto import mock_aws

from infrastructure.local.alarms import SIGNATURE, RingingAlarm, judge, ringing_alarms
from infrastructure.local.errors import MetricMathError

Alarm = dict[str, Any]
RINGING = "attune-local-observability-AlarmsClickRateHome0651D0F8-2CEE51D61FB59"


def plain(**changes: Any) -> Alarm:
    alarm = {
        "Namespace": "Attune",
        "MetricName": "Errors",
        "Dimensions": [],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "StateValue": "OK",
    }
    return {**alarm, **changes}


def history(*values: float | None) -> list[dict[str, float | None]]:
    return [{"plain": value} for value in values]


def click_rate(*expressions: tuple[str, str]) -> Alarm:
    stat = {"Metric": {"Namespace": "Attune", "MetricName": "any"}, "Period": 300, "Stat": "Sum"}
    metrics: list[Alarm] = [
        {"Id": id_, "Expression": text, "ReturnData": id_ == "rate"} for id_, text in expressions
    ]
    metrics += [{"Id": id_, "MetricStat": stat, "ReturnData": False} for id_ in ("clicked", "shown")]
    return plain(Metrics=metrics, EvaluationPeriods=1, Threshold=2.0, ComparisonOperator="LessThanThreshold")


def test_an_alarm_goes_off_when_enough_periods_breach() -> None:
    assert judge(plain(), history(6, 7, 8)).state == "ALARM"
    assert judge(plain(), history(6, 5, 8)).state == "OK"
    assert judge(plain(DatapointsToAlarm=2), history(6, 5, 8)).state == "ALARM"


@pytest.mark.parametrize(
    ("treatment", "state"),
    [("missing", "INSUFFICIENT_DATA"), ("ignore", "OK"), ("notBreaching", "OK"), ("breaching", "ALARM")],
)
def test_missing_data_is_treated_as_the_alarm_says(treatment: str, state: str) -> None:
    assert judge(plain(TreatMissingData=treatment), history(None, None, None)).state == state


def test_the_reason_names_the_local_runner_and_the_values() -> None:
    reason = judge(plain(), history(6, None, 8)).reason
    assert reason.startswith(SIGNATURE)
    assert "[6, missing, 8]" in reason


def test_an_alarm_on_an_expression_is_judged_by_its_value() -> None:
    alarm = click_rate(("rate", "IF(shown > 10, 100 * clicked / shown)"))
    assert judge(alarm, [{"clicked": 1.0, "shown": 100.0}]).state == "ALARM"
    assert judge(alarm, [{"clicked": 3.0, "shown": 100.0}]).state == "OK"
    assert judge(alarm, [{"clicked": 0.0, "shown": 5.0}]).state == "INSUFFICIENT_DATA"


def test_expressions_may_name_each_other_in_any_order() -> None:
    alarm = click_rate(("rate", "100*ratio"), ("ratio", "clicked/all"), ("all", "FILL(shown, 1)"))
    assert judge(alarm, [{"clicked": 1.0, "shown": 100.0}]).state == "ALARM"


def test_expressions_that_name_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(MetricMathError, match="circle"):
        judge(click_rate(("rate", "other + 1"), ("other", "rate + 1")), [{"clicked": 1.0, "shown": 1.0}])


def test_a_comparison_that_needs_a_learned_band_is_refused() -> None:
    alarm = plain(ComparisonOperator="GreaterThanUpperThreshold")
    with pytest.raises(MetricMathError, match="GreaterThanUpperThreshold"):
        judge(alarm, history(1, 2, 3))


@mock_aws
def test_what_rings_is_told_with_what_users_feel_and_what_to_do() -> None:
    client = boto3.client("cloudwatch", region_name="us-east-1")
    address = "https://git.example.com/docs/runbooks/click-rate.md"
    for name in (RINGING, "quiet"):
        client.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=f"Users find nothing they like. {address}",
            Namespace="Attune",
            MetricName="Clicks",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
        )
    client.set_alarm_state(AlarmName=RINGING, StateValue="ALARM", StateReason="Values [0.3]")
    (found,) = ringing_alarms(client)
    assert (found.title, found.feel) == ("ClickRateHome", "Users find nothing they like.")
    assert (found.reason, found.runbook) == ("Values [0.3]", address)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        (RINGING, "ClickRateHome"),
        ("attune-prod-observability-ClickRateAlone", "ClickRateAlone"),
        ("disk full", "disk full"),
    ],
)
def test_an_alarm_is_called_as_the_template_calls_it(name: str, title: str) -> None:
    assert RingingAlarm(name, "", "", "").title == title


def test_an_alarm_that_somebody_else_made_is_shown_as_it_is() -> None:
    assert RingingAlarm.of({"AlarmName": "disk full"}) == ("disk full", "", "", "")
