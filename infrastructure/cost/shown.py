"""The bill as tables, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from infrastructure.cost.advice import Alternative
from infrastructure.cost.bill import Bill, Line
from infrastructure.cost.personalize import requests_alone, with_training
from infrastructure.cost.prices import PriceList
from infrastructure.cost.usage import Basis, Plan


@dataclass(frozen=True, slots=True)
class Answer:
    """All there is to say about a plan."""

    plan: Plan
    prices: PriceList
    bill: Bill
    idle: Bill
    alternatives: Sequence[Alternative]
    warnings: Sequence[str]
    free_tier: bool

    @property
    def a_thousand(self) -> float | None:
        """Dollars for a thousand recommendations, all the platform included; None without any."""
        requests = self.plan.traffic.requests
        return self.bill.dollars / requests * 1_000 if requests else None

    @property
    def personalize(self) -> dict[str, float]:
        """Dollars that the same traffic costs at Amazon Personalize, by what is counted."""
        asked = self.plan.traffic, self.prices
        return {"requests alone": requests_alone(*asked), "with training": with_training(*asked)}


def as_json(answer: Answer) -> str:
    """Return the answer as a JSON document."""
    body = {
        "environment": answer.plan.environment.name,
        "region": answer.prices.region,
        "prices_of": answer.prices.date.isoformat(),
        "free_tier": answer.free_tier,
        "traffic": asdict(answer.plan.traffic),
        "dollars_a_month": answer.bill.dollars,
        "dollars_idle": answer.idle.dollars,
        "dollars_a_thousand_recommendations": answer.a_thousand,
        "personalize_dollars_a_month": answer.personalize,
        "services": answer.bill.by_service(),
        "lines": [asdict(line) for line in answer.bill.lines],
        "alternatives": [asdict(one) for one in answer.alternatives],
        "warnings": list(answer.warnings),
    }
    return json.dumps(body, indent=2) + "\n"


def show(answer: Answer, console: Console, *, every_line: bool) -> None:
    """Print the tables: the bill, beside Personalize, what else could be chosen, and what does not fit."""
    console.print(_lines(answer) if every_line else _services(answer))
    console.print(_beside_personalize(answer))
    console.print(_alternatives(answer.alternatives))
    for warning in answer.warnings:
        console.print(f"[yellow]does not fit:[/] {warning}", soft_wrap=True)


def _title(answer: Answer) -> str:
    traffic = answer.plan.traffic
    return (
        f"{answer.plan.environment.name}: {traffic.monthly_users:,} monthly users, "
        f"{traffic.requests:,.0f} recommendations, {traffic.events:,.0f} events\n"
        f"list prices of {answer.prices.region}, {answer.prices.date}"
        f"{', less what is free every month' if answer.free_tier else ''}"
    )


def _services(answer: Answer) -> Table:
    idle = answer.idle.by_service()
    table = Table("service", title=_title(answer), show_footer=False)
    for name in ("$ a month", "share", "of it idle"):
        table.add_column(name, justify="right")
    table.add_column("most of it", max_width=30)
    table.add_column("from")
    for service, dollars in answer.bill.by_service().items():
        own = [line for line in answer.bill.lines if line.service == service]
        share = dollars / answer.bill.dollars if answer.bill.dollars else 0.0
        most = max(own, key=lambda line: line.dollars)
        table.add_row(
            service,
            _money(dollars),
            f"{share:.1%}",
            _money(idle.get(service, 0.0)),
            most.what,
            _bases(own),
        )
    table.add_section()
    table.add_row("all", _money(answer.bill.dollars), "100.0%", _money(answer.idle.dollars), "", "")
    return table


def _bases(lines: Sequence[Line]) -> str:
    """Name where the dollars are from, the most first."""
    totals = {basis: sum(line.dollars for line in lines if line.basis is basis) for basis in Basis}
    whole = sum(totals.values())
    found = sorted((basis for basis in Basis if totals[basis] > 0.05 * whole), key=lambda one: -totals[one])
    return "; ".join(found)


def _lines(answer: Answer) -> Table:
    table = Table("service", "what", title=_title(answer))
    for name in ("amount", "$ a month", "share"):
        table.add_column(name, justify="right")
    table.add_column("from")
    for line in sorted(answer.bill.lines, key=lambda line: -line.dollars):
        share = line.dollars / answer.bill.dollars
        amount = f"{_figure(line.amount)} {line.unit}"
        table.add_row(line.service, line.what, amount, _money(line.dollars), f"{share:.1%}", line.basis)
    table.add_section()
    table.add_row("all", "", "", _money(answer.bill.dollars), "100.0%", "")
    return table


def _beside_personalize(answer: Answer) -> Table:
    table = Table("", title="the same traffic")
    for name in ("$ a month", "$ a thousand recommendations", "Attune is"):
        table.add_column(name, justify="right")
    requests, own = answer.plan.traffic.requests, answer.bill.dollars
    rows = {"Attune, all of it": own}
    rows |= {f"Amazon Personalize, {name}": dollars for name, dollars in answer.personalize.items()}
    for name, dollars in rows.items():
        a_thousand = f"{dollars / requests * 1_000:.4f}" if requests else "-"
        table.add_row(name, _money(dollars), a_thousand, f"{own / dollars:.2f} of it" if dollars else "-")
    return table


def _alternatives(found: Sequence[Alternative]) -> Table:
    """Compare what is with what could be; dollars are of the part that the choice is about."""
    table = Table("choice", "now", title="alternatives")
    table.add_column("$", justify="right", no_wrap=True)
    table.add_column("otherwise")
    table.add_column("$", justify="right", no_wrap=True)
    table.add_column("")
    for one in found:
        now, other = _money(one.now_dollars), _money(one.other_dollars)
        table.add_row(one.choice, one.now, now, one.other, other, one.break_even)
    return table


def _figure(value: float) -> str:
    """Write an amount in at most four digits.

    >>> [_figure(value) for value in (0.0123, 3.5, 42.0, 1_234_567.0, 2.5e10)]
    ['0.012', '3.5', '42', '1.235 million', '25,000 million']
    """
    if value >= 1e6:
        return f"{value / 1e6:,.4g} million" if value < 1e9 else f"{value / 1e6:,.0f} million"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _money(dollars: float) -> str:
    return f"{dollars:,.2f}"
