"""Refuses what would not fit into this function, before it is tried and fails for want of time or memory."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from training.capacity import SIZE_FILE, Limits, Size, excesses, lake_excesses

_WAY_OUT: Final = "Choose SageMakerEngine for this environment in infrastructure/environments.py"


class DatasetTooLargeError(RuntimeError):
    """The slow loop would pass the limits of a Lambda; the message says by what, and what to do."""


def limits_of(context: Any, root: Path) -> Limits:
    """Return what this function has; the time is that which a step begins with."""
    return Limits(
        seconds=context.get_remaining_time_in_millis() / 1_000,
        memory_mb=float(context.memory_limit_in_mb),
        scratch_mb=shutil.disk_usage(root).free / 1e6,
    )


def check_lake(lake_bytes: int, limits: Limits) -> None:
    """Look at the lake before it is fetched.

    Raises
    ------
    DatasetTooLargeError
        *prepare* would not fit.
    """
    _refuse(f"{lake_bytes / 1e6:,.0f} MB of events", lake_excesses(lake_bytes, limits))


def check_dataset(root: Path, limits: Limits, *, shard_count: int) -> None:
    """Look at what *prepare* has made before the other steps work on it.

    Raises
    ------
    DatasetTooLargeError
        One of them would not fit.
    """
    path = root / "processing" / "output" / "dataset" / SIZE_FILE
    size = msgspec.json.decode(path.read_bytes(), type=Size)
    dataset = f"{size.events:,} events of {size.users:,} users on {size.items:,} items"
    _refuse(dataset, excesses(size, limits, shard_count=shard_count))


def _refuse(what: str, reasons: Iterable[str]) -> None:
    found = list(reasons)
    if found:
        raise DatasetTooLargeError(f"{what} are too much for engine lambda: {'; '.join(found)}. {_WAY_OUT}")
