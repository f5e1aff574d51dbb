"""`PYTHONPATH=tests python -m outages`: inject each outage, and print what it comes to and when."""

import sys

from rich.console import Console
from rich.table import Table

import conftest  # noqa: F401 (no way to a real account)
from outages.cases import CASES
from outages.shop import Outcome, open_shop


def main() -> int:
    """Run all cases; an `AssertionError` tells what was lost."""
    console = Console(highlight=False)
    table = Table("outage", "call", "answer", "source", "instead", "ms", "requests")
    with open_shop() as shop:
        for case in CASES:
            with console.status(f"{case.outage}: {case.call_name}"):
                outcome = case.run(shop)
            table.add_row(case.outage, case.call_name, *row(outcome))
    console.print(table)
    return 0


def row(outcome: Outcome) -> tuple[str, ...]:
    """Return what is shown of an outcome."""
    said = outcome.body.get("code") or outcome.body.get("source") or ""
    asked = ", ".join(f"{service} {count}" for service, count in sorted(outcome.asked.items()))
    instead = outcome.body.get("degraded") or ""
    return outcome.answer, said, instead, f"{outcome.milliseconds:,.0f}", asked or "none"


if __name__ == "__main__":
    sys.exit(main())
