"""``python -m benchmarks.assignment``: what assigning a user costs, by what the definitions hold.

One request decides once or twice (twice if something is targeted) on what it shows. The promise is 20
microseconds an assignment; shown is the median of several rounds, with the fastest beside it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from time import process_time
from timeit import repeat

from rich.console import Console
from rich.table import Table

from infrastructure.definitions import read_definitions
from personalization.assignment import bucket
from personalization.experiments import (
    Definitions,
    Experiment,
    Holdout,
    Namespace,
    Variant,
    Visitor,
    assign,
)
from personalization.profiles import Facts
from personalization.targeting import Targeting

ROUNDS, CALLS = 15, 2_000
NOW = datetime(2026, 11, 24, tzinfo=UTC)
VISITOR = Visitor("qtTmGZt33jMF5WiZlIaovg", "session-7", Facts("DE", "mobile", "search"))


def experiment(name: str, **fields: object) -> Experiment:
    """Return one with three variants."""
    variants = tuple(Variant(name=f"v{n}", weight=weight) for n, weight in enumerate((0.34, 0.33, 0.33)))
    return Experiment(name=name, surface="home", variants=variants, **fields)  # type: ignore[arg-type]


def cases() -> dict[str, Callable[[], object]]:
    """What is measured, by its name."""
    plain = experiment("home-ranking")
    everything = experiment(
        "home-ranking",
        namespace=Namespace(id="rows", range=(0.0, 1.0)),
        holdout=0.05,
        targeting=Targeting(countries=("DE",), segments=("country=DE,device=mobile",)),
        starts_at=NOW,
    )
    shipped = read_definitions()
    five = Definitions(experiments=tuple(experiment(f"e{n}") for n in range(5)), holdout=Holdout(share=0.01))
    return {
        "hash": lambda: bucket("home-ranking", VISITOR.user_key),
        "one experiment": lambda: assign(plain, VISITOR),
        "one with namespace, holdout, targeting": lambda: assign(everything, VISITOR),
        "a request, definitions as shipped": lambda: shipped.treatment(VISITOR, "home", NOW),
        "a request, five experiments on its surface": lambda: five.treatment(VISITOR, "home", NOW),
    }


def microseconds(call: Callable[[], object]) -> list[float]:
    """Microseconds of processor time a call, of each round."""
    return [
        seconds / CALLS * 1e6 for seconds in repeat(call, timer=process_time, number=CALLS, repeat=ROUNDS)
    ]


def main() -> int:
    """Print a row a case; returns 0."""
    table = Table("what", title="microseconds of processor time a call")
    table.add_column("median", justify="right")
    table.add_column("fastest", justify="right")
    for name, call in cases().items():
        rounds = microseconds(call)
        table.add_row(name, f"{median(rounds):.1f}", f"{min(rounds):.1f}")
    Console(highlight=False, soft_wrap=True).print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
