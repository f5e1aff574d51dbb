"""Two dashboards: what they show, that their expressions are right, what they cost."""

import json
import re
from typing import Any

import pytest
from scipy.stats import binomtest

from infrastructure.constructs.cost_graphs import GB_SECOND, WRITE_UNIT
from infrastructure.constructs.experiments_dashboard import wilson
from infrastructure.fields import Architecture
from infrastructure.local.metric_math import evaluate, names
from personalization.names import Metric
from tests.synth.assembly import Assembly, Lambda

TOKEN = "token"


def widgets(assembly: Assembly, name: str) -> list[dict[str, Any]]:
    """A dashboard's widgets; what only a deployment knows reads `token`."""
    body = assembly.one("AWS::CloudWatch::Dashboard", name).properties["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    found: list[dict[str, Any]] = json.loads(
        "".join(part if isinstance(part, str) else TOKEN for part in parts)
    )["widgets"]
    return found


def titled(assembly: Assembly, name: str, title: str) -> dict[str, Any]:
    (found,) = [row for row in widgets(assembly, name) if title in row["properties"].get("title", "")]
    return dict(found["properties"])


def options(row: list[Any]) -> dict[str, Any]:
    return row[-1] if isinstance(row[-1], dict) else {}


def expressions(graph: dict[str, Any]) -> dict[str, str]:
    """Metric math by label."""
    found = [options(row) for row in graph["metrics"]]
    return {row["label"]: row["expression"] for row in found if "expression" in row}


def ids(graph: dict[str, Any]) -> set[str]:
    return {options(row)["id"] for row in graph["metrics"] if "id" in options(row)}


@pytest.mark.parametrize(("clicked", "shown"), [(0, 1), (0, 500), (3, 1_000), (41, 1_000), (1_000, 1_000)])
def test_the_interval_of_a_rate_is_wilsons(clicked: int, shown: int) -> None:
    parts = {
        part: evaluate(expression, {"c": float(clicked), "n": float(shown)})
        for part, expression in wilson("c", "n").items()
    }
    expected = binomtest(clicked, shown).proportion_ci(0.95, method="wilson")
    assert parts[""] == pytest.approx(100 * clicked / shown)
    assert parts["low"] == pytest.approx(100 * expected.low, abs=0.01)
    assert parts["high"] == pytest.approx(100 * expected.high, abs=0.01)


def test_without_impressions_there_is_neither_a_rate_nor_an_interval() -> None:
    for expression in wilson("c", "n").values():
        assert evaluate(expression, {"c": None, "n": None}) is None


@pytest.mark.parametrize("name", ["Dashboard", "Experiments"])
def test_expressions_name_what_their_graph_has_and_the_runner_can_read_them(
    assembly: Assembly, name: str
) -> None:
    for widget in widgets(assembly, name):
        graph = widget["properties"]
        for label, expression in expressions({"metrics": graph.get("metrics", [])}).items():
            assert names(expression) <= ids(graph), (graph["title"], label)


def test_what_the_control_room_must_show_is_there(assembly: Assembly) -> None:
    operations = {row["properties"].get("title") for row in widgets(assembly, "Dashboard")}
    experiments = {row["properties"].get("title") for row in widgets(assembly, "Experiments")}
    assert operations >= {
        "Alarms",
        "Traffic",
        "Latency",
        "Cache hits and fallbacks",
        "Freshness: from acceptance to the profile",
        "Freshness: from the profile to the list",
        "Age of the oldest unread record",
        "Refused for want of room",
        "Failed for good",
        "Estimated cost by use",
    }
    assert experiments >= {
        "Results",
        "home-ranking: click-through rate, 95% interval",
        "home-ranking: lift of the goal, always-valid 95% interval",
        "home-ranking: are users split as configured",
        "home-ranking: conversions",
        "home-ranking: revenue",
        "Age of the model in service",
        "Quality on held-out data, and coverage of the catalogue",
        "Nights without a publish",
    }


def test_the_bill_is_shown_where_there_is_one(local: Assembly, prod: Assembly) -> None:
    assert "AWS/Billing" not in str(widgets(local, "Dashboard"))
    assert "AWS/Billing" in str(widgets(prod, "Dashboard"))


def test_the_status_of_every_alarm_is_on_top(assembly: Assembly) -> None:
    first = widgets(assembly, "Dashboard")[0]
    composites = assembly.of_type("AWS::CloudWatch::CompositeAlarm")
    assert first["type"] == "alarm"
    assert len(first["properties"]["alarms"]) == len(assembly.alarms) + len(composites)


def test_results_are_drawn_by_the_function_for_the_experiments_that_are_defined(assembly: Assembly) -> None:
    widget = titled(assembly, "Experiments", "Results")
    assert widget["endpoint"] == TOKEN
    assert widget["params"] == {"experiments": ["home-ranking"]}
    assert widget["updateOn"]["refresh"] is True


def test_lift_is_shown_for_variants_and_not_for_the_control(assembly: Assembly) -> None:
    rows = titled(assembly, "Experiments", "lift of the goal")["metrics"]
    assert {row[1] for row in rows if isinstance(row[1], str) and row[1].startswith("Experiment")} == {
        Metric.EXPERIMENT_LIFT,
        Metric.EXPERIMENT_LIFT_LOW,
        Metric.EXPERIMENT_LIFT_HIGH,
    }
    assert "covisitation" not in str(rows)


def test_an_hour_is_priced_by_what_was_used(prod: Assembly) -> None:
    graph = titled(prod, "Dashboard", "Estimated cost")
    cost = expressions(graph)
    assert cost.keys() == {"API", "Lambda, time", "Lambda, calls", "DynamoDB", "Kinesis", "logs"}
    assert evaluate(cost["API"], {"requests": 1e6}) == pytest.approx(1.0)
    assert evaluate(cost["DynamoDB"], {"read": None, "written": 1e6}) == pytest.approx(1e6 * WRITE_UNIT)
    assert evaluate(cost["Kinesis"], {"taken": 1e9}) == pytest.approx(0.04 + 0.08)
    used = dict.fromkeys(names(cost["logs"])) | {"logged0": 1e9}
    assert evaluate(cost["logs"], used) == pytest.approx(0.50)


def test_the_time_of_a_function_is_priced_by_its_memory(prod: Assembly) -> None:
    expression = expressions(titled(prod, "Dashboard", "Estimated cost"))["Lambda, time"]
    first = prod.lambdas["update_profiles"]
    hour = dict.fromkeys(names(expression)) | {"ms0": 1_000 * 3_600.0}
    expected = 3_600 * _memory(first) / 1_024 * GB_SECOND[Architecture.ARM64]
    assert evaluate(expression, hour) == pytest.approx(expected, rel=1e-4)


def test_own_metrics_on_the_dashboards_are_known_by_name(assembly: Assembly) -> None:
    for name in ("Dashboard", "Experiments"):
        text = json.dumps(widgets(assembly, name))
        shown = set(re.findall(rf'"{assembly.environment.metrics_namespace}", "(\w+)"', text))
        assert shown
        assert shown <= set(Metric)


def _memory(function: Lambda) -> int:
    return int(function.resource.properties["MemorySize"])
