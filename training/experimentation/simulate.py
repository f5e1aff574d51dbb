"""Prove by simulation that the statistics of experiments find what is there, and only that.

``python -m training.experimentation.simulate [--runs 1000] [--seed 1]``

A/A tests with a look a day for 28 days, A/B tests at the size that the calculator names, and splits of 51 to
49. All is drawn: the same runs and seed print the same tables.
"""

import argparse
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from training.experimentation.sample_ratio import MISMATCH, chi_squared
from training.experimentation.sample_ratio import sequential as sequential_split
from training.experimentation.simulated_users import Population
from training.experimentation.simulations import (
    Found,
    Tests,
    calculate,
    simulate_splits,
    simulate_tests,
)

RATE, BETTER_RATE, POWER = 0.03, 0.04, 0.8
LIFT: Final = BETTER_RATE / RATE - 1
_progress = Console(stderr=True)
_console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print three tables; about half a minute of one core for 1,000 runs."""
    parser = argparse.ArgumentParser(
        prog="python -m training.experimentation.simulate", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=1_000, help="experiments of each kind (1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--users", type=int, nargs="+", default=[560, 5_600], help="of the A/A tests (560 5600)"
    )
    options = parser.parse_args(arguments)
    if options.runs < 1 or min(options.users) < 100:
        parser.error("ask for one run or more, and 100 users or more")
    _no_difference(options.runs, options.seed, options.users)
    _a_difference(options.runs, options.seed)
    _splits(options.runs, options.seed)
    return 0


def _no_difference(runs: int, seed: int, sizes: Sequence[int]) -> None:
    populations = {f"{users:,} users": Population(users=users) for users in sizes}
    populations[f"{sizes[-1]:,} users,\nall on day 1"] = Population(users=sizes[-1], arriving=1)
    found = [
        simulate_tests(population, _watched(runs, f"A/A, {name}".replace("\n", " ")), seed)
        for name, population in populations.items()
    ]
    table = Table(title=f"{runs:,} A/A tests, 28 daily looks: found, and wrong")
    table.add_column("test")
    for name in populations:
        table.add_column(name, justify="right")
    _rows(table, found)
    _console.print(table)


def _a_difference(runs: int, seed: int) -> None:
    sizes = calculate(Population(users=0), LIFT, power=POWER, seed=seed)
    found = [
        simulate_tests(
            Population(users=2 * users, lift=LIFT), _watched(runs, f"A/B, {users:,} users a variant"), seed
        )
        for users in (sizes.one_look, sizes.always_valid)
    ]
    table = Table(
        title=f"{runs:,} A/B tests, CTR {RATE:.0%} and {BETTER_RATE:.0%}: found, {POWER:.0%} promised"
    )
    table.add_column("test")
    table.add_column(f"{sizes.one_look:,} a variant,\nplanned for one look", justify="right")
    table.add_column(f"{sizes.always_valid:,} a variant,\nplanned for always-valid", justify="right")
    _rows(table, found)
    _console.print(table)


def _rows(table: Table, found: Sequence[Tests]) -> None:
    for name, field in (
        ("always-valid, any day", "always_valid"),
        ("Welch, last day", "one_look"),
        ("lift by delta, last day", "lift_by_delta"),
        ("wrong: Welch, any day", "peeking"),
        ("wrong: z by impressions", "impressions"),
    ):
        table.add_row(name, *(_share(getattr(tests, field)) for tests in found))


def _splits(runs: int, seed: int) -> None:
    counts = [51_000, 49_000]
    even, uneven = (
        simulate_splits(share, _watched(runs, f"split {share:.0%}"), seed) for share in (0.5, 0.51)
    )
    table = Table(title=f"{runs:,} splits of 100,000 users, 100 looks, p < {MISMATCH}: flagged")
    for name in ("test", "50 to 50", "51 to 49"):
        table.add_column(name, justify="left" if name == "test" else "right")
    for name, field in (
        ("sequential, any look", "sequential"),
        ("chi-squared, last look", "chi_squared"),
        ("wrong: chi-squared, any look", "peeking"),
    ):
        table.add_row(name, _share(getattr(even, field)), _share(getattr(uneven, field)))
    table.add_row("sequential, median users at the flag", "", f"{uneven.users or 0:,}")
    table.add_section()
    exact = chi_squared(counts, [0.5, 0.5]), sequential_split(np.array([counts]), [0.5, 0.5])
    table.add_row("51,000 and 49,000: p of chi-squared", "", f"{exact[0]:.1e}")
    table.add_row("51,000 and 49,000: p of sequential", "", f"{exact[1]:.1e}")
    _console.print(table)


def _watched(runs: int, what: str) -> Iterable[int]:
    return track(range(runs), what, console=_progress, transient=True)


def _share(found: Found) -> str:
    return f"{found.share:.1%} ± {1.96 * found.error:.1%}"


if __name__ == "__main__":
    raise SystemExit(main())
