from typing import Any

import pytest

from infrastructure.local.alarms import SIGNATURE, judge
from infrastructure.local.errors import MetricMathError

Alarm = dict[str, Any]


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
