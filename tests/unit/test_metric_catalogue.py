"""Every metric is in the catalogue as it is written, and all series together keep to their budget."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.update_profiles.handler import measure
from infrastructure.metrics_page import EXTENT, PAGE, render
from personalization.attribution import Attribution
from personalization.metric_catalogue import (
    CATALOGUE,
    DOLLARS_A_SERIES,
    Extent,
    Written,
    dollars_a_month,
    series,
    total_series,
)
from personalization.names import Metric, Surface
from personalization.projection import Projection

MOST_SERIES = 200
OUTCOMES = [Metric.IMPRESSIONS, Metric.CLICKS, Metric.CONVERSIONS, Metric.REVENUE, Metric.DWELL]
FUNCTIONS = Path(__file__).parents[2] / "functions"
CORE = Path(__file__).parents[2] / "layers/personalization/python/personalization"


def test_every_metric_is_in_the_catalogue_once() -> None:
    assert sorted(written.metric for written in CATALOGUE) == sorted(Metric)


def test_all_series_at_three_surfaces_and_two_experiments_keep_to_the_budget() -> None:
    assert total_series(EXTENT) <= MOST_SERIES
    assert dollars_a_month(EXTENT) == pytest.approx(DOLLARS_A_SERIES * total_series(EXTENT))
    assert dollars_a_month(EXTENT) <= 60


def test_experiments_are_what_series_grow_by() -> None:
    """Five metrics by surface and variant, four by variant, one by experiment."""
    another = Extent(EXTENT.surfaces, (*EXTENT.variants, 2))
    assert total_series(another) - total_series(EXTENT) == 5 * 2 + 4 * 2 + 1


def sources(writer: str) -> Iterator[str]:
    """The function's own modules, and all of the core that they reach."""
    waiting = sorted((FUNCTIONS / writer).glob("*.py"))
    known = {CORE / "names.py", CORE / "metric_catalogue.py"}
    while waiting:
        path = waiting.pop()
        if path not in known and path.exists():
            known.add(path)
            yield (text := path.read_text())
            names = re.findall(r"^from personalization\.?([\w.]*) import (\w+)", text, re.MULTILINE)
            waiting += [CORE / f"{(module or name).replace('.', '/')}.py" for module, name in names]


@pytest.mark.parametrize("written", CATALOGUE, ids=lambda written: written.metric.name)
def test_a_metric_is_written_by_whom_the_catalogue_says(written: Written) -> None:
    for writer in written.writers:
        assert any(f"Metric.{written.metric.name}" in source for source in sources(writer)), writer


def test_what_is_written_for_recommendations_is_what_the_catalogue_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each surface's own series, and two experiments of two variants on two of the surfaces."""
    projection = Projection()
    for metric in OUTCOMES:
        rows = [Attribution(metric, surface) for surface in Surface]
        rows += [
            Attribution(metric, surface, f"on-{surface}", variant)
            for surface in (Surface.HOME, Surface.OTHER)
            for variant in ("control", "treatment")
        ]
        projection.attributions |= dict.fromkeys(rows, 1.5)
    capsys.readouterr()
    measure(projection)
    measure(projection)
    written: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    units = set()
    for line in capsys.readouterr().out.splitlines():
        row = json.loads(line)
        (directive,) = row["_aws"]["CloudWatchMetrics"]
        (names,) = directive["Dimensions"]
        for metric in directive["Metrics"]:
            units.add((metric["Name"], metric["Unit"]))
            written.setdefault(metric["Name"], set()).add(tuple(sorted((name, row[name]) for name in names)))
    catalogued = {row.metric: row for row in CATALOGUE if row.metric in OUTCOMES}
    assert {name: len(found) for name, found in written.items()} == {
        metric: series(row, EXTENT) for metric, row in catalogued.items()
    }
    assert units == {(metric, row.unit) for metric, row in catalogued.items()}
    for name, found in written.items():
        sets = {frozenset(key for key, _ in one) - {"service"} for one in found}
        assert sets == set(map(frozenset, catalogued[Metric(name)].dimensions))


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "run: python -m infrastructure.metrics_page"


def test_the_page_says_what_every_metric_means() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert len(rows) == len(Metric)
    assert all(len(row.split(" | ")[4]) > 20 for row in rows)
