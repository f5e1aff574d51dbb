"""Reads CloudWatch's Embedded Metric Format: one log line becomes data points, as CloudWatch makes them.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class DataPoints:
    """Values of one metric at one time, in one combination of dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    unit: str
    at: datetime

    def as_request(self) -> dict[str, Any]:
        """Return the entry of `MetricData` in a PutMetricData request."""
        return {
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
            "Timestamp": self.at,
            "Values": list(self.values),
            "Unit": self.unit,
        }


def parse(line: str) -> list[DataPoints]:
    """Return the data points of a log line; none where the line is not in the format, as CloudWatch does.

    A metric appears once for every set of dimensions that its directive lists.

    Examples
    --------
    >>> directive = '{"Namespace": "Attune", "Dimensions": [["surface"]], "Metrics": [{"Name": "Clicks"}]}'
    >>> header = f'"_aws": {{"Timestamp": 0, "CloudWatchMetrics": [{directive}]}}'
    >>> [points] = parse(f'{{{header}, "surface": "home", "Clicks": [1, 2]}}')
    >>> points.name, points.dimensions, points.values
    ('Clicks', (('surface', 'home'),), (1.0, 2.0))
    """
    try:
        root = json.loads(line)
        return list(_data_points(root))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, RecursionError):
        return []


def _data_points(root: Mapping[str, Any]) -> Iterator[DataPoints]:
    at = datetime.fromtimestamp(root["_aws"]["Timestamp"] / 1000, tz=UTC)
    for directive in root["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = tuple((name, str(root[name])) for name in names)
            for metric in directive["Metrics"]:
                value = root[metric["Name"]]
                yield DataPoints(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    dimensions=dimensions,
                    values=tuple(map(float, value if isinstance(value, list) else [value])),
                    unit=metric.get("Unit", "None"),
                    at=at,
                )
