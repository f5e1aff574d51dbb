"""A row of the table: what was measured, against what, in one and the same run."""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from os import process_cpu_count, sysconf

from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure and its baseline.

    Attributes
    ----------
    figure, baseline
        With their units, as they are shown.
    against
        What the baseline is.
    ratio
        Of figure to baseline: what counts, for machines are noisy and differ.
    target
        What the figure or the ratio should be; empty if nothing was promised.
    met
        Whether it is.
    """

    what: str
    figure: str
    against: str = ""
    baseline: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool = True

    @property
    def cells(self) -> tuple[str, ...]:
        """As text, in the order of `HEADS`."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        kept = ("met" if self.met else "missed") if self.target else ""
        return self.what, self.figure, self.against, self.baseline, ratio, self.target, kept


HEADS = ("what", "figure", "against, in the same run", "baseline", "ratio", "target", "")


def table_of(rows: Iterable[Row]) -> Table:
    """Lay rows out for a terminal."""
    table = Table(*HEADS, title=machine())
    for row in rows:
        table.add_row(*row.cells, style="red" if row.target and not row.met else "")
    return table


def page_of(rows: Sequence[Row], today: date) -> str:
    """Lay rows out as `docs/benchmarks.md`."""
    lines = [HEADS, *(row.cells for row in rows)]
    cells = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"`make bench` on {today.isoformat()}: {machine()}. Machines are noisy and differ: "
            "what to compare are the ratios to what was measured in the same run.",
            "",
            cells[0],
            "|" + " --- |" * len(HEADS),
            *cells[1:],
            "",
        ]
    )


def machine() -> str:
    """Name the processor, cores and memory of this machine, and its Python."""
    gigabytes = sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.machine()}, {process_cpu_count()} cores, {gigabytes:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
