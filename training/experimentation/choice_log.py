"""Reads a log of single choices with propensities, as the Open Bandit Dataset has it (Saito et al., 2020).

A line is one item at one place: `variant` (the policy), `campaign`, `item_id`, `position`, `click` (0 or 1)
and `propensity`, the probability of that item at that place. Other columns are not read.
"""

import csv
import gzip
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from personalization.errors import InvalidInput

COLUMNS: Final = ("variant", "campaign", "item_id", "position", "click", "propensity")


@dataclass(frozen=True, slots=True)
class Choices:
    """One policy in one campaign; all columns (choices,).

    Attributes
    ----------
    item
        Numbered alike for all policies of the campaign, from 0 to `items` - 1.
    place
        As logged, from 1.
    """

    item: NDArray[np.int64]
    place: NDArray[np.int64]
    click: NDArray[np.float64]
    propensity: NDArray[np.float64]
    items: int

    def __len__(self) -> int:
        return len(self.item)


@dataclass(slots=True)
class _Columns:
    item: array[int] = field(default_factory=lambda: array("q"))
    place: array[int] = field(default_factory=lambda: array("q"))
    click: array[float] = field(default_factory=lambda: array("d"))
    propensity: array[float] = field(default_factory=lambda: array("d"))


def read_choices(path: Path) -> dict[str, dict[str, Choices]]:
    """Read a CSV file, or one packed by gzip, into campaign -> policy -> choices, in order of the names.

    Cost: 1 µs and 32 bytes a line.

    Raises
    ------
    InvalidInput
        `invalid_log`, with the line: a column is missing, a click is neither 0 nor 1, or a propensity is not
        above 0 and at most 1.
    """
    columns: dict[tuple[str, str], _Columns] = {}
    numbers: dict[str, dict[str, int]] = {}
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as lines:
        for variant, campaign, item, place, click, propensity in _lines(lines, path):
            of = numbers.setdefault(campaign, {})
            mine = columns.setdefault((campaign, variant), _Columns())
            mine.item.append(of.setdefault(item, len(of)))
            mine.place.append(place)
            mine.click.append(click)
            mine.propensity.append(propensity)
    found: dict[str, dict[str, Choices]] = {}
    for (campaign, variant), mine in sorted(columns.items()):
        found.setdefault(campaign, {})[variant] = Choices(
            np.array(mine.item),
            np.array(mine.place),
            np.array(mine.click),
            np.array(mine.propensity),
            items=len(numbers[campaign]),
        )
    return found


def _lines(lines: TextIO, path: Path) -> Iterator[tuple[str, str, str, int, int, float]]:
    reader = csv.reader(lines)
    header = next(reader, [])
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InvalidInput("invalid_log", f"{path} has no column {', '.join(missing)}")
    at = [header.index(name) for name in COLUMNS]
    for row in reader:
        try:
            variant, campaign, item, place, click, propensity = (row[index] for index in at)
            line = variant, campaign, item, int(place), int(click), float(propensity)
        except (ValueError, IndexError):
            raise InvalidInput("invalid_log", f"{path}, line {reader.line_num}: not readable") from None
        if line[4] not in (0, 1) or not 0 < line[5] <= 1:
            raise InvalidInput(
                "invalid_log",
                f"{path}, line {reader.line_num}: a click must be 0 or 1, a propensity above 0 and at most 1",
            )
        yield line
