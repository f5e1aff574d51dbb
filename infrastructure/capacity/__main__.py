"""``python -m infrastructure.capacity`` writes docs/scale.md; ``--monthly-users N`` shows one size instead.

Synthesizes `prod` to see the sizes of its functions; no account is asked.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infrastructure.capacity.page import COLUMNS, PAGE, limits_of, planned_refreshing, render, row_of
from infrastructure.capacity.simulation import simulate
from infrastructure.cost.errors import CostError
from infrastructure.cost.inventory import read_inventory
from infrastructure.cost.synthesis import synthesized
from infrastructure.cost.traffic import Traffic
from infrastructure.cost.usage import Plan
from infrastructure.environments import environment_named


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or show one size; returns 2 for a question that has no answer."""
    options = _parser().parse_args(argv)
    environment = environment_named(options.environment)
    try:
        there = read_inventory(options.templates) if options.templates else synthesized(environment.name)
        given = {field.name: getattr(options, field.name) for field in fields(Traffic)}
        if options.monthly_users is None:
            PAGE.write_text(render(there, environment, Traffic(monthly_users=0)), encoding="utf-8")
            return 0
        _show(Plan(environment, there, Traffic(**given)))
    except CostError as error:
        Console(stderr=True, highlight=False).print(f"infrastructure.capacity: {error}", soft_wrap=True)
        return 2
    return 0


def _show(plan: Plan) -> None:
    _, limits = limits_of(plan.environment)
    table = Table("at the daily peak", title=f"{plan.traffic.monthly_users:,} monthly users")
    table.add_column("", justify="right")
    for name, value in zip(COLUMNS[1:], row_of(plan, limits)[1:], strict=True):
        table.add_row(name, value)
    if plan.traffic.posts:
        found = simulate(plan, refreshing=planned_refreshing(plan))
        table.add_section()
        table.add_row("simulated: list rebuilt, p95", f"{found.list_p95:.1f} s")
        table.add_row("in a burst", f"{found.burst_list_p95:.1f} s")
        table.add_row("as before after", f"{found.drained_after:.0f} s")
    Console(highlight=False).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infrastructure.capacity", description=__doc__)
    parser.add_argument(
        "--monthly-users", type=int, help="show this size; without it docs/scale.md is written"
    )
    for field in fields(Traffic)[1:]:
        option = "--" + field.name.replace("_", "-")
        kind: Any = int if field.type in (int, "int") else float
        parser.add_argument(option, type=kind, default=field.default, help=f"default: {field.default:,}")
    parser.add_argument("--environment", choices=("dev", "prod"), default="prod", help="default: prod")
    parser.add_argument(
        "--templates", type=Path, help="templates that are synthesized already, as in cdk.out"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
