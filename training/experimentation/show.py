"""Shows what experiments have come to: verdict, tables and the lift over time.

``python -m training.experimentation.show (--table T | --lake DIR) [NAME] [--html FILE]``

Without a name, every experiment with its verdict. A lake's folder is a copy of the bucket, of which only
`experiments/results/` is needed; the newest day counts.
"""

import argparse
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import boto3
from rich.console import Console
from rich.table import Table

from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.errors import AttuneError
from personalization.experiment_results import Decision, ExperimentResults, decode_results
from personalization.keys import EXPERIMENTS
from personalization.results_page import (
    Sheet,
    comparison_sheet,
    heading,
    left_out_line,
    page,
    plan_line,
    sample_ratio_line,
    text_chart,
    variant_sheet,
)

_PIPE_WIDTH: Final = 180
"""Columns of a table that no terminal cuts."""
_FRAME: Final = 3
"""Columns that a cell's blanks and line take."""
_FEWEST: Final = 3
_STYLES: Final = {
    Decision.SHIP: "green",
    Decision.STOP_HARMFUL: "red",
    Decision.BROKEN: "red",
    Decision.STOP_FUTILE: "yellow",
    Decision.KEEP_RUNNING: "cyan",
}


def main(argv: Sequence[str] | None = None, *, console: Console | None = None) -> int:
    """Show one experiment or all; returns 0, or 1 with the reason."""
    parser = argparse.ArgumentParser(prog="python -m training.experimentation.show", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", help="the table of a deployment")
    source.add_argument("--lake", type=Path, help="a folder that holds experiments/results/ of a lake")
    parser.add_argument("name", nargs="?", help="of the experiment; all of them without one")
    parser.add_argument("--html", type=Path, help="write the same as a page, too")
    options = parser.parse_args(argv)
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_WIDTH, file=console.file)
    try:
        found = _stored(options.table) if options.table else _copied(options.lake)
    except AttuneError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    chosen = [one for one in found if options.name in (None, one.experiment)]
    if options.name and not chosen:
        known = ", ".join(one.experiment for one in found) or "none"
        console.print(
            f"{options.name} has no results; those with results: {known}", style="red", markup=False
        )
        return 1
    if options.name:
        print_results(chosen[0], console)
    else:
        console.print(overview(chosen))
    if options.html:
        options.html.write_bytes(page(chosen))
        console.print(f"written to {options.html}", markup=False)
    return 0


def print_results(results: ExperimentResults, console: Console) -> None:
    """Print one experiment."""
    console.print(f"{results.experiment}: {heading(results)}", style=_STYLES[results.decision], markup=False)
    console.print(results.verdict, markup=False)
    console.print(left_out_line(results), style="dim", markup=False)
    for sheet in (variant_sheet(results), comparison_sheet(results)):
        if sheet.rows:
            console.print(_table(sheet, console.width))
    console.print(sample_ratio_line(results), markup=False)
    console.print(plan_line(results), markup=False)
    console.print("\nLift of the goal over time, with the interval that holds over all looks", markup=False)
    for line in text_chart(results):
        console.print(line, markup=False, soft_wrap=True)


def overview(experiments: Sequence[ExperimentResults]) -> Table:
    """Tabulate experiments with their verdicts."""
    table = Table("experiment", "says", "users", "verdict", "as of", title="Experiments")
    for one in experiments:
        row = (one.experiment, heading(one), f"{one.users:,}", one.verdict, f"{one.as_of:%Y-%m-%d %H:%M}")
        table.add_row(*row, style=_STYLES[one.decision])
    return table


def _table(sheet: Sheet, width: int) -> Table:
    """Tabulate as many of a sheet's first columns as a terminal is wide for."""
    ends = accumulate(max(map(len, cells)) + _FRAME for cells in zip(sheet.head, *sheet.rows, strict=True))
    shown = max(sum(end < width for end in ends), _FEWEST)
    left_out = shown < len(sheet.head)
    table = Table(
        title=sheet.title,
        title_justify="left",
        caption="a wider terminal, or --html, shows more columns" if left_out else None,
    )
    for place, name in enumerate(sheet.head[:shown]):
        table.add_column(name, justify="right" if place else "left")
    for row in sheet.rows:
        table.add_row(*row[:shown])
    return table


def _stored(table: str) -> list[ExperimentResults]:
    store = DynamoExperimentStore(boto3.client("dynamodb"), table)
    return store.results(store.analyzed())


def _copied(lake: Path) -> list[ExperimentResults]:
    """Read the newest results of each experiment."""
    newest = {path.stem: path for path in sorted((lake / EXPERIMENTS / "results").glob("date=*/*.json"))}
    return [decode_results(path.read_bytes()) for _, path in sorted(newest.items())]


if __name__ == "__main__":
    raise SystemExit(main())
