"""The bill of a month: amounts times prices."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infrastructure.cost.fast_loop import fast_loop
from infrastructure.cost.fixed import fixed
from infrastructure.cost.nights import nights
from infrastructure.cost.prices import PriceList
from infrastructure.cost.read_path import read_path
from infrastructure.cost.usage import Basis, Plan, Usage


@dataclass(frozen=True, slots=True)
class Line:
    """One amount and what it costs in a month."""

    service: str
    what: str
    amount: float
    unit: str
    dollars: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's lines."""

    lines: tuple[Line, ...]

    @property
    def dollars(self) -> float:
        """The sum."""
        return sum(line.dollars for line in self.lines)

    def by_service(self) -> dict[str, float]:
        """Return dollars by service, the largest first."""
        totals: dict[str, float] = defaultdict(float)
        for line in self.lines:
            totals[line.service] += line.dollars
        return dict(sorted(totals.items(), key=lambda row: (-row[1], row[0])))


def usages(plan: Plan) -> Iterator[Usage]:
    """Return all that a month uses."""
    for part in (fixed, fast_loop, read_path, nights):
        yield from part(plan)


def bill(plan: Plan, prices: PriceList, *, free_tier: bool = False) -> Bill:
    """Return the bill of a month.

    Raises
    ------
    PriceFileError
        Something that is used has no price.
    """
    return Bill(tuple(price(usages(plan), prices, free_tier=free_tier)))


def price(used: Iterable[Usage], prices: PriceList, *, free_tier: bool = False) -> Iterator[Line]:
    """Price amounts; what falls by tier, or is free, is shared by all that have the same price."""
    found = [usage for usage in used if usage.amount]
    totals: dict[str, float] = defaultdict(float)
    for usage in found:
        totals[usage.price] += usage.amount
    mean = {name: prices[name].of(amount, free_tier=free_tier) / amount for name, amount in totals.items()}
    for usage in found:
        dollars = usage.amount * mean[usage.price] * usage.share
        unit = prices[usage.price].unit
        yield Line(usage.service, usage.what, usage.amount, unit, dollars, usage.basis)
