"""Waiting for what takes a moment."""

import time
from collections.abc import Callable
from typing import Any

import pytest


def eventually[T](probe: Callable[[], T], good: Callable[[T], Any] = bool, *, seconds: float = 20.0) -> T:
    """Return the probe's first good answer; the last one fails the test if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if good(found):
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s; at last: {found!r}")
        time.sleep(0.1)
