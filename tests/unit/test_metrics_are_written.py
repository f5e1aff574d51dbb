"""A metric that nothing writes leaves its graph empty and its alarm silent, or ringing forever."""

import re
from pathlib import Path

import pytest

from personalization.names import Metric

ROOT = Path(__file__).parents[2]
WRITERS = [
    path.read_text()
    for folder in ("functions", "layers/personalization/python")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "metric_catalogue.py"
]


@pytest.mark.parametrize("metric", Metric, ids=lambda metric: metric.name)
def test_every_metric_is_written_by_some_code(metric: Metric) -> None:
    name = re.compile(rf"\bMetric\.{metric.name}\b")
    assert any(name.search(source) for source in WRITERS)
