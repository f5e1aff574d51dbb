"""Writes docs/metrics.md from names and catalogue of the metrics: `python -m infrastructure.metrics_page`."""

import ast
import inspect
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

from personalization import names
from personalization.metric_catalogue import (
    CATALOGUE,
    DOLLARS_A_SERIES,
    Dimensions,
    Extent,
    Written,
    dollars_a_month,
    series,
    total_series,
)

PAGE: Final = Path(__file__).parents[1] / "docs" / "metrics.md"
EXTENT: Final = Extent(surfaces=3, variants=(2, 2))
"""What the table counts: three surfaces, two experiments of two variants."""
_WRITERS: Final = re.compile(r"\s*\((`[a-z_]+`(, )?)+\)")
_HEAD: Final = """\
# Metrics

Made by `python -m infrastructure.metrics_page` from `personalization/names.py` and
`personalization/metric_catalogue.py`.

All are in the CloudWatch namespace of their deployment, as `{namespace}/prod` (on a laptop `{namespace}`),
written as Embedded Metric Format by the functions named, each under the dimension `service` with its own name
and the dimensions shown; a metric with two sets of dimensions is written under each. The last column counts
the series at three surfaces and two experiments of two variants: **{total}, ${dollars:.2f} a month**, at
${price:.2f} a series if each gets a value in every hour. Surfaces other than `home` and `product` share the
series `other`. An experiment belongs to one surface, so another one of two variants adds {more}.

| metric | unit | dimensions | written by | what it says | series |
| --- | --- | --- | --- | --- | --- |
"""


def main() -> int:
    """Write the page."""
    PAGE.write_text(render())
    return 0


def render() -> str:
    """Return the page."""
    meanings = _meanings()
    another = Extent(EXTENT.surfaces, (*EXTENT.variants, 2))
    head = _HEAD.format(
        namespace=names.NAMESPACE,
        total=total_series(EXTENT),
        dollars=dollars_a_month(EXTENT),
        price=DOLLARS_A_SERIES,
        more=total_series(another) - total_series(EXTENT),
    )
    return head + "".join(_row(written, meanings[written.metric.name]) for written in CATALOGUE)


def _row(written: Written, meaning: str) -> str:
    cells = [
        f"`{written.metric}`",
        str(written.unit),
        "; ".join(map(_named, written.dimensions)),
        ", ".join(f"`{writer}`" for writer in written.writers),
        meaning,
        str(series(written, EXTENT)),
    ]
    return f"| {' | '.join(cells)} |\n"


def _named(dimensions: Dimensions) -> str:
    return ", ".join(dimensions) or "none"


def _meanings() -> dict[str, str]:
    """Read what the string after each name of `Metric` says, without the writers, which have a column."""
    (definition,) = ast.parse(inspect.getsource(names.Metric)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101
    meanings = {}
    for statement, after in pairwise(definition.body):
        match statement, after:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                meanings[name] = _WRITERS.sub("", " ".join(text.split()))
    return meanings


if __name__ == "__main__":
    sys.exit(main())
