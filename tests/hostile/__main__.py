"""`PYTHONPATH=tests python -m hostile`: attack the handlers and print what was sent and what came back."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

import conftest  # noqa: F401 (no way to a real account)
from hostile.attack import Tally, attack


def main(argv: list[str] | None = None) -> int:
    """Send so many bad inputs; an `AssertionError` tells what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m hostile", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    console = Console(highlight=False)
    with console.status(f"{options.inputs:,} bad inputs"):
        tally = attack(options.inputs, seed=options.seed)
    show(tally, console)
    return 0


def show(tally: Tally, console: Console) -> None:
    """Print inputs by kind, answers by route, and the books."""
    sent = Table("bad inputs", "times", title=f"{tally.inputs.total():,} bad inputs")
    for name, times in sorted(tally.inputs.items()):
        sent.add_row(name, f"{times:,}")
    console.print(sent)
    answers = Table("function", "status", "code", "times", title="answers")
    for (function, status, code), times in sorted(tally.answers.items()):
        answers.add_row(function, str(status), code, f"{times:,}")
    console.print(answers)
    rejected = Table("code", "times", title="rejected entries")
    for code, times in sorted(tally.rejected.items()):
        rejected.add_row(code, f"{times:,}")
    console.print(rejected)
    slowest = ", ".join(f"{name} {seconds * 1000:,.0f} ms" for name, seconds in sorted(tally.slowest.items()))
    console.print(f"slowest answers, processor time: {slowest}")
    console.print(
        f"{tally.honest:,} honest entries, all accepted, all in the table and in the lake, once each"
    )
    console.print(
        f"{tally.accepted:,} accepted = {tally.records:,} records; 0 lost, 0 answers of 5xx, 0 leaks"
    )


if __name__ == "__main__":
    sys.exit(main())
