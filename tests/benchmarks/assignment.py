"""What assigning a user costs, by what the definitions hold.

One request decides once or twice (twice if something is targeted) on what it shows.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median
from time import process_time
from timeit import repeat

from benchmarks.rows import Row
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

ROUNDS = 15
TARGET = 20
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


def microseconds(call: Callable[[], object], calls: int) -> list[float]:
    """Microseconds of processor time a call, of each round."""
    rounds = repeat(call, timer=process_time, number=calls, repeat=ROUNDS)
    return [seconds / calls * 1e6 for seconds in rounds]


def rows(calls: int) -> Iterator[Row]:
    """Yield a row a case: the median of several rounds, against the hash that every assignment needs."""
    took = {name: median(microseconds(call, calls)) for name, call in cases().items()}
    floor = took.pop("hash")
    for name, spent in took.items():
        yield Row(
            what=f"assignment, {name}",
            figure=f"{spent:.1f} µs",
            against="its hash alone",
            baseline=f"{floor:.1f} µs",
            ratio=spent / floor,
            target="" if name.startswith("a request") else f"{TARGET} µs",
            met=spent < TARGET,
        )
