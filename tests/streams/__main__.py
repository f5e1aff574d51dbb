"""`PYTHONPATH=tests python -m streams`: raise a storm of faults and print what was met and what came out."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

import conftest  # noqa: F401 (no way to a real account)
from streams.storm import Tally, rage


def main(argv: list[str] | None = None) -> int:
    """Run so many storms; an `AssertionError` tells what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m streams", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, help="another storm than the usual one")
    options = parser.parse_args(argv)
    console = Console(highlight=False)
    with console.status(f"{options.runs} storms"):
        tally = rage(options.runs, seed=options.seed)
    show(tally, console)
    return 0


def show(tally: Tally, console: Console) -> None:
    """Print the trouble by kind, and the books."""
    table = Table("trouble", "times", title=f"{len(tally.trouble)} kinds of trouble in {tally.runs} runs")
    for name, times in sorted(tally.trouble.items()):
        table.add_row(name, f"{times:,}")
    console.print(table)
    books = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.books.items()))
    console.print(f"{tally.records:,} records in {tally.invocations:,} invocations: {books}")
    console.print("0 lost, 0 applied twice; profiles equal a single pass, the lake holds each record once")


if __name__ == "__main__":
    sys.exit(main())
