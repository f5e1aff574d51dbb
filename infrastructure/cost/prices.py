"""Reads the price list, and prices amounts by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from infrastructure.cost.errors import PriceFileError

PRICES: Final = Path(__file__).parent / "prices.yaml"


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit costs.

    Attributes
    ----------
    tiers
        (up to so many units of a month, dollars for one unit), the limits rising, the last one infinite.
    free
        Units a month that cost nothing, for those who count them.
    """

    name: str
    unit: str
    tiers: tuple[tuple[float, float], ...]
    free: float
    source: str

    def of(self, amount: float, *, free_tier: bool = False) -> float:
        """Price a month's amount.

        >>> Price("x", "unit", ((10, 2.0), (float("inf"), 1.0)), 5, "").of(15)
        25.0
        >>> Price("x", "unit", ((10, 2.0), (float("inf"), 1.0)), 5, "").of(15, free_tier=True)
        20.0
        """
        billed = max(0.0, amount - self.free) if free_tier else amount
        dollars, below = 0.0, 0.0
        for limit, price in self.tiers:
            dollars += max(0.0, min(billed, limit) - below) * price
            below = limit
        return dollars

    @property
    def first(self) -> float:
        """What one unit costs at the beginning of a month."""
        return self.tiers[0][1]


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices of a region at a date."""

    date: date
    region: str
    prices: Mapping[str, Price]
    personalize: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        """Return a price.

        Raises
        ------
        PriceFileError
            There is none of this name.
        """
        try:
            return self.prices[name]
        except KeyError:
            raise PriceFileError(f"no price is known for {name}; add it to {PRICES.name}") from None


def read_prices(path: Path = PRICES) -> PriceList:
    """Read a price list.

    Raises
    ------
    PriceFileError
        It is no price list, or a price has no source, no unit or is not a positive number.
    """
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        stated, region = body["date"], body["region"]
        listed = [_prices(body[group]) for group in ("prices", "personalize")]
    except OSError as error:
        raise PriceFileError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise PriceFileError(f"{path} is not a price list: {error}") from None
    if not isinstance(stated, date):
        raise PriceFileError(f"{path}: date: {stated!r} is not a date, as 2026-11-25 is")
    return PriceList(stated, str(region), *listed)


def _prices(body: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Price]:
    return {name: _price(name, entry) for name, entry in body.items()}


def _price(name: str, entry: Mapping[str, Any]) -> Price:
    for field in ("unit", "source"):
        if not isinstance(entry.get(field), str):
            raise PriceFileError(f"{name}: {field} is missing")
    per = _number(name, entry.get("per", 1))
    tiers = tuple((_number(name, limit), _number(name, dollars) / per) for limit, dollars in _tiers(entry))
    if not _rising(limit for limit, _ in tiers):
        raise PriceFileError(f"{name}: tiers must rise, and the last one must be .inf")
    return Price(name, entry["unit"], tiers, float(entry.get("free", 0)), entry["source"])


def _tiers(entry: Mapping[str, Any]) -> Sequence[tuple[Any, Any]]:
    return entry["tiers"] if "tiers" in entry else [(float("inf"), entry.get("dollars"))]


def _rising(limits: Iterable[float]) -> bool:
    found = list(limits)
    return found == sorted(set(found)) and found[-1:] == [float("inf")]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise PriceFileError(f"{name}: {value!r} is not a positive number")
    return float(value)
