"""Judges the alarms of the deployed template, as CloudWatch would, over the metrics of the local AWS."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from infrastructure.local.errors import MetricMathError
from infrastructure.local.metric_math import Value, evaluate, names

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

SIGNATURE: Final = "Set by Attune's local runner, in place of CloudWatch."

_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_PLAIN: Final = "plain"
_ADDED: Final = re.compile(r"^.*-(Alarms)?(?=[A-Z][a-z])|[0-9A-F]{8}-\w+$")
"""The stack before, a digest and random characters after."""


class RingingAlarm(NamedTuple):
    """What somebody who is woken wants to know first."""

    name: str
    feel: str
    """What users feel."""
    reason: str
    runbook: str

    @property
    def title(self) -> str:
        """Its name without what CloudFormation added: `SurfaceClickRateHome`."""
        return _ADDED.sub("", self.name)

    @classmethod
    def of(cls, alarm: Mapping[str, Any]) -> "RingingAlarm":
        """Read an alarm as DescribeAlarms shows it; its description ends with the address of its runbook."""
        feel, _, runbook = str(alarm.get("AlarmDescription", "")).rpartition(" ")
        return cls(alarm["AlarmName"], feel, alarm.get("StateReason", ""), runbook)


@dataclass(frozen=True)
class Verdict:
    """What an alarm's state should be."""

    state: str
    """`OK`, `ALARM` or `INSUFFICIENT_DATA`."""
    reason: str


def queries(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metric queries of an alarm, as DescribeAlarms shows it, be it on a metric or not."""
    if alarm.get("Metrics"):
        return list(alarm["Metrics"])
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    stat = {"Metric": metric, "Period": alarm["Period"], "Stat": statistic}
    return [{"Id": _PLAIN, "MetricStat": stat, "ReturnData": True}]


def period_of(alarm: Mapping[str, Any]) -> timedelta:
    """Return the length of one evaluation period."""
    periods = [query["MetricStat"]["Period"] for query in queries(alarm) if "MetricStat" in query]
    return timedelta(seconds=max(periods))


def judge(alarm: Mapping[str, Any], history: Sequence[Mapping[str, Value]]) -> Verdict:
    """Return the state that follows from the values of the alarm's metrics.

    Parameters
    ----------
    alarm
        As DescribeAlarms shows it.
    history
        For every evaluation period, oldest first, the value by query id of every metric.

    Raises
    ------
    MetricMathError
        The alarm uses an expression or a comparison that is not supported here.
    """
    values = [_result(alarm, points) for points in history]
    breaching = _breaches(alarm, values)
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    shown = ", ".join("missing" if value is None else f"{value:g}" for value in values)
    reason = f"{SIGNATURE} Values [{shown}], {alarm['ComparisonOperator']} {alarm['Threshold']:g}."
    treatment = alarm.get("TreatMissingData", "missing")
    if all(value is None for value in values) and treatment in {"missing", "ignore"}:
        return Verdict("INSUFFICIENT_DATA" if treatment == "missing" else alarm["StateValue"], reason)
    return Verdict("ALARM" if sum(breaching) >= needed else "OK", reason)


def evaluate_all(client: "CloudWatchClient", now: datetime) -> list[tuple[str, Verdict]]:
    """Judge every alarm and set the state of those whose state changes; returns the changes by alarm name."""
    changes = []
    for page in client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"]):
        for alarm in page["MetricAlarms"]:
            verdict = _judge_now(client, alarm, now)
            if verdict.state != alarm["StateValue"]:
                client.set_alarm_state(
                    AlarmName=alarm["AlarmName"],
                    StateValue=verdict.state,  # type: ignore[arg-type]
                    StateReason=verdict.reason,
                )
                changes.append((alarm["AlarmName"], verdict))
    return changes


def ringing_alarms(client: "CloudWatchClient") -> list[RingingAlarm]:
    """Return the alarms that ring, composite ones too, by name."""
    pages = client.get_paginator("describe_alarms").paginate(
        StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    rows = [row for page in pages for row in (*page["MetricAlarms"], *page["CompositeAlarms"])]
    return sorted(RingingAlarm.of(row) for row in rows)


def _judge_now(client: "CloudWatchClient", alarm: Mapping[str, Any], now: datetime) -> Verdict:
    try:
        return judge(alarm, _history(client, alarm, now))
    except MetricMathError as error:
        return Verdict("INSUFFICIENT_DATA", f"{SIGNATURE} {error}")


def _history(client: "CloudWatchClient", alarm: Mapping[str, Any], now: datetime) -> list[dict[str, Value]]:
    # The running period counts, so that somebody who tries an alarm need not wait for its end.
    period = period_of(alarm)
    epoch = datetime.fromtimestamp(0, UTC)
    last = epoch + (now - epoch) // period * period
    starts = [last - period * age for age in reversed(range(alarm["EvaluationPeriods"]))]
    metrics = [{**query, "ReturnData": True} for query in queries(alarm) if "MetricStat" in query]
    answer = client.get_metric_data(
        MetricDataQueries=metrics,  # type: ignore[arg-type]
        StartTime=starts[0],
        EndTime=last + period,
    )
    series = {
        result["Id"]: dict(zip(result["Timestamps"], result["Values"], strict=True))
        for result in answer["MetricDataResults"]
    }
    ids = [str(query["Id"]) for query in metrics]
    return [{id_: series.get(id_, {}).get(start) for id_ in ids} for start in starts]


def _result(alarm: Mapping[str, Any], points: Mapping[str, Value]) -> Value:
    expressions = {query["Id"]: query["Expression"] for query in queries(alarm) if "Expression" in query}
    known = dict(points)
    # An expression may name another one: each round evaluates those whose names are all known by then.
    for _ in range(len(expressions)):
        for id_, expression in expressions.items():
            if not names(expression) & expressions.keys() - known.keys():
                known[id_] = evaluate(expression, known)
    returned = next(query["Id"] for query in queries(alarm) if query.get("ReturnData", True))
    if returned not in known:
        raise MetricMathError("The expressions of the alarm name each other in a circle.")
    return known[returned]


def _breaches(alarm: Mapping[str, Any], values: Sequence[Value]) -> list[bool]:
    sign = alarm["ComparisonOperator"]
    if sign not in _COMPARISONS:
        raise MetricMathError(f"The local runner doesn't know the comparison {sign}.")
    when_missing = alarm.get("TreatMissingData") == "breaching"
    compare = _COMPARISONS[sign]
    return [when_missing if value is None else compare(value, alarm["Threshold"]) for value in values]
