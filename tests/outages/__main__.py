"""`PYTHONPATH=tests python -m outages`: inject each outage, and print what it comes to and when."""

import sys
from time import perf_counter

from rich.console import Console
from rich.table import Table

import conftest  # noqa: F401 (no way to a real account)
from outages.cases import CASES
from outages.shop import Mode, Outcome, Shop, open_shop

SIEGE_SECONDS = 20


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
        console.print(_siege(shop))
    return 0


def _siege(shop: Shop) -> str:
    """Ask one container without a pause while DynamoDB hangs: how much of its time do answers wait?"""
    shop.reset()
    shop.warm()
    took: list[float] = []
    asked = 0
    with shop.wire.outage(dynamodb=Mode.HANGS):
        start = perf_counter()
        while perf_counter() - start < SIEGE_SECONDS:
            outcome = shop.recommendations()
            took.append(outcome.milliseconds)
            asked += outcome.asked.get("dynamodb", 0)
    waited = sum(each for each in took if each > 100) / 10 / SIEGE_SECONDS
    return (
        f"DynamoDB hangs for {SIEGE_SECONDS} s: one container gave {len(took):,} answers, waited for "
        f"{waited:.0f}% of the time, at most {max(took):.0f} ms, and sent {asked} requests to the table"
    )


def row(outcome: Outcome) -> tuple[str, ...]:
    """Return what is shown of an outcome."""
    said = outcome.body.get("code") or outcome.body.get("source") or ""
    asked = ", ".join(f"{service} {count}" for service, count in sorted(outcome.asked.items()))
    instead = outcome.body.get("degraded") or ""
    return outcome.answer, said, instead, f"{outcome.milliseconds:,.0f}", asked or "none"


if __name__ == "__main__":
    sys.exit(main())
