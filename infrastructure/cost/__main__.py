"""``python -m infrastructure.cost --monthly-users 2000000``: what a month costs, by service.

Synthesizes the environment to see what it consists of (no account is asked, nothing is built), and prices a
month of the traffic by `prices.yaml`. Figures are measured on the real functions where the table says so.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from infrastructure.cost.advice import alternatives
from infrastructure.cost.bill import bill
from infrastructure.cost.errors import CostError
from infrastructure.cost.inventory import read_inventory
from infrastructure.cost.prices import PRICES, read_prices
from infrastructure.cost.shown import Answer, as_json, show
from infrastructure.cost.synthesis import synthesized
from infrastructure.cost.traffic import Traffic
from infrastructure.cost.usage import Plan
from infrastructure.cost.warnings import warnings
from infrastructure.environments import environment_named

_MEANINGS: Final = {
    "events_per_user": "events of each in a month",
    "requests_per_user": "recommendations that each asks for in a month",
    "sessions_per_user": "visits of each in a month",
    "events_per_post": "events that a client sends at once",
    "deliberate_share": "share of events that rebuild a list: clicks, purchases, ratings",
    "active_share": "users of a month, of all whose profile is kept (13 months)",
    "items": "items of the catalogue",
    "surfaces": "surfaces with lists of their own",
    "peak_factor": "the busiest minutes' rate over the month's mean",
    "history_months": "months of events in the lake and in training",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the bill; returns 2 for a question that has no answer."""
    console = Console(highlight=False)
    try:
        options = _parser().parse_args(argv)
        answer = _answer(options)
    except CostError as error:
        Console(stderr=True, highlight=False).print(f"infrastructure.cost: {error}", soft_wrap=True)
        return 2
    if options.json:
        sys.stdout.write(as_json(answer))
    else:
        show(answer, console, every_line=options.lines)
    return 0


def _answer(options: argparse.Namespace) -> Answer:
    names = [field.name for field in fields(Traffic)]
    traffic = Traffic(**{name: getattr(options, name) for name in names})
    prices = read_prices(options.prices)
    if options.region != prices.region:
        raise CostError(
            f"--region: {options.prices.name} is of {prices.region}; copy it with the prices of "
            f"{options.region} and name the copy by --prices"
        )
    there = read_inventory(options.templates) if options.templates else synthesized(options.environment)
    plan = Plan(environment_named(options.environment), there, traffic)
    idle = Plan(plan.environment, there, Traffic(monthly_users=0))
    month = bill(plan, prices, free_tier=options.free_tier)
    return Answer(
        plan=plan,
        prices=prices,
        bill=month,
        idle=bill(idle, prices, free_tier=options.free_tier),
        alternatives=tuple(alternatives(plan, prices)),
        warnings=tuple(warnings(plan, month.dollars)),
        free_tier=options.free_tier,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infrastructure.cost", description=__doc__)
    parser.add_argument("--monthly-users", type=int, required=True, help="who come in a month; 0 is idle")
    for field in fields(Traffic)[1:]:
        option = "--" + field.name.replace("_", "-")
        kind: Any = int if field.type in (int, "int") else float
        help_text = f"{_MEANINGS[field.name]} (default: {field.default:,})"
        parser.add_argument(option, type=kind, default=field.default, help=help_text.replace("%", "%%"))
    parser.add_argument("--environment", choices=("dev", "prod"), default="prod", help="default: prod")
    parser.add_argument("--region", default="us-east-1", help="must be the price list's (default: us-east-1)")
    parser.add_argument("--prices", type=Path, default=PRICES, help="a price list of your own")
    parser.add_argument(
        "--templates", type=Path, help="templates that are synthesized already, as in cdk.out"
    )
    parser.add_argument("--free-tier", action="store_true", help="count what AWS gives away every month")
    parser.add_argument("--lines", action="store_true", help="every line of the bill, with where it is from")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
