"""``python -m benchmarks``: what each part costs, against what was measured in the same run, in one table.

Machines are noisy and differ: what counts are the ratios. ``--write`` puts the table into docs/benchmarks.md,
``--only`` measures some parts, ``--large`` runs the pipeline on 4,000,000 events (about an hour in all).
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import assignment, growth, ranking, replaying, serving
from benchmarks.rows import Row, page_of, table_of

PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
Part = Callable[[int], Iterator[Row]]
PARTS: Final[dict[str, tuple[Part, int, str]]] = {
    "serving": (serving.rows, 10_000, "requests"),
    "assignment": (assignment.rows, 2_000, "calls a round"),
    "replay": (replaying.rows, 500_000, "users"),
    "ranking": (ranking.rows, 100_000, "events"),
    "pipeline": (growth.rows, 1_000_000, "events"),
}
"""Name -> what measures it, and its size."""


def main() -> int:
    """Measure; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS))
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    console, rows = Console(highlight=False, soft_wrap=True), []
    for name in options.only:
        part, size, unit = PARTS[name]
        if name == "pipeline" and options.large:
            size = growth.LARGE
        Console(stderr=True).print(f"{name}: {size:,} {unit}", style="dim")
        rows += list(part(size))
    console.print(table_of(rows))
    if options.write:
        PAGE.write_text(page_of(rows, datetime.now(UTC).date()))
    return int(not all(row.met for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
