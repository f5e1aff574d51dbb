import json
from datetime import UTC, datetime

import pytest

from infrastructure.local.emf import parse


def embedded(dimensions: list[list[str]], **members: object) -> str:
    metrics = [{"Name": "Clicks", "Unit": "Count"}, {"Name": "Lag"}]
    directive = {"Namespace": "Attune", "Dimensions": dimensions, "Metrics": metrics}
    return json.dumps({"_aws": {"Timestamp": 1_500, "CloudWatchMetrics": [directive]}, **members})


def test_a_metric_comes_once_for_every_set_of_dimensions() -> None:
    line = embedded([["surface"], ["surface", "variant"]], surface="home", variant="a", Clicks=2, Lag=0.5)
    found = [(points.name, dict(points.dimensions), points.values) for points in parse(line)]
    assert found == [
        ("Clicks", {"surface": "home"}, (2.0,)),
        ("Lag", {"surface": "home"}, (0.5,)),
        ("Clicks", {"surface": "home", "variant": "a"}, (2.0,)),
        ("Lag", {"surface": "home", "variant": "a"}, (0.5,)),
    ]


def test_data_points_become_what_put_metric_data_takes() -> None:
    clicks, lag = parse(embedded([["surface"]], surface="home", Clicks=[1, 2], Lag=3))
    assert clicks.as_request() == {
        "MetricName": "Clicks",
        "Dimensions": [{"Name": "surface", "Value": "home"}],
        "Timestamp": datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC),
        "Values": [1.0, 2.0],
        "Unit": "Count",
    }
    assert lag.unit == "None"


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 1",
        '{"level": "INFO", "message": "served"}',
        "[1, 2]",
        embedded([["surface"]], Clicks=1, Lag=1),
        embedded([["surface"]], surface="home", Clicks="many", Lag=1),
    ],
)
def test_a_line_that_is_not_in_the_format_yields_nothing(line: str) -> None:
    assert parse(line) == []
