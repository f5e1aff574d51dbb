"""Amounts of what AWS bills, and how those of a Lambda come about."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import exp
from typing import Final

from infrastructure.cost.inventory import Inventory
from infrastructure.cost.quantities import ASSUMED, PROCESSOR_MB
from infrastructure.cost.traffic import SECONDS, Traffic
from infrastructure.fields import Environment

GB: Final = 1 << 30
_FREE_SCRATCH_MB: Final = 512
_MONTH_DAYS: Final = 30.4


class Basis(StrEnum):
    """Where an amount is from."""

    TEMPLATE = "template"
    """Counted in the synthesized stack."""
    MEASURED = "measured"
    """Traffic times what the benchmark measured."""
    PARTLY = "measured and assumed"
    """Processor time is measured, waiting for AWS is assumed."""
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Usage:
    """So much of something in a month; `price` names its entry of the price list."""

    service: str
    what: str
    price: str
    amount: float
    basis: Basis
    share: float = 1.0
    """Of the list price that is paid."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployed environment and what comes in."""

    environment: Environment
    inventory: Inventory
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the calls of a function do, each on the average.

    Attributes
    ----------
    processor_ms, wait_ms
        Of one whole processor; waiting for AWS.
    log_bytes, lines
        Of the function's own.
    """

    calls: float
    processor_ms: float
    wait_ms: float
    log_bytes: float = 0.0
    lines: float = 1.0
    start_ms: float = ASSUMED.start_ms


def calls_of(plan: Plan, name: str, work: Work) -> Iterator[Usage]:
    """Return what the calls of a function use: requests, time, log and traces.

    A Lambda of less memory than a whole processor's is slower in proportion. Starts are billed as well.
    """
    function = plan.inventory.functions[name]
    call_ms = milliseconds(function.memory_mb, work.processor_ms, work.wait_ms)
    seconds = (work.calls * call_ms + starts(plan.traffic, work.calls, call_ms) * work.start_ms) / 1_000
    price = "lambda_gb_second_arm64" if function.arm64 else "lambda_gb_second_x86_64"
    yield Usage("Lambda", f"{name}: calls", "lambda_request", work.calls, Basis.MEASURED)
    yield Usage("Lambda", f"{name}: time", price, seconds * function.memory_mb / 1_024, Basis.PARTLY)
    scratch = max(0, function.scratch_mb - _FREE_SCRATCH_MB) / 1_024
    if scratch:
        yield Usage("Lambda", f"{name}: scratch", "lambda_scratch_gb_second", seconds * scratch, Basis.PARTLY)
    overhead = ASSUMED.platform_log_bytes + work.lines * ASSUMED.line_overhead_bytes
    yield from logged(plan, name, work.calls * (work.log_bytes + overhead))
    if function.traced:
        yield Usage("X-Ray", f"{name}: traces", "trace", traces(work.calls), Basis.ASSUMED)


def milliseconds(memory_mb: int, processor_ms: float, wait_ms: float) -> float:
    """Return how long a call takes in a Lambda of so much memory.

    >>> milliseconds(1_769, 3.0, 5.0), milliseconds(3_008, 3.0, 5.0), round(milliseconds(512, 3.0, 5.0), 1)
    (8.0, 8.0, 15.4)
    """
    return processor_ms / min(1.0, memory_mb / PROCESSOR_MB) + wait_ms


def starts(traffic: Traffic, calls: float, call_ms: float) -> float:
    """Return how many of a month's calls, coming by chance, start a container.

    Those after a pause in which the last container went, and one for each container of the peak as often as
    containers are replaced.
    """
    if not calls:
        return 0.0
    after_pauses = calls * exp(-calls / SECONDS * ASSUMED.idle_seconds)
    replaced = containers(calls, call_ms) * traffic.peak_factor * SECONDS / ASSUMED.container_seconds
    return min(calls, after_pauses + replaced)


def containers(calls: float, call_ms: float) -> float:
    """Return the mean number of containers that are kept, by calls of a month."""
    at_once = calls / SECONDS * call_ms / 1_000
    return (1 - exp(-calls / SECONDS * ASSUMED.idle_seconds)) * max(1.0, at_once)


def traces(calls: float) -> float:
    """Return how many of a month's calls are traced: one a second, and a share of those beyond."""
    first = min(calls, SECONDS)
    return first + ASSUMED.traced_share * (calls - first)


def logged(plan: Plan, name: str, size: float) -> Iterator[Usage]:
    """Return what lines in CloudWatch use: taken in once, and kept as long as the environment says."""
    months = plan.environment.log_retention_days / _MONTH_DAYS
    yield Usage("CloudWatch", f"{name}: log", "log_gb", size / GB, Basis.MEASURED)
    kept = size / GB * ASSUMED.log_compression * months
    yield Usage("CloudWatch", f"{name}: log kept", "log_gb_month", kept, Basis.ASSUMED)
