"""Outages in which a call hangs for seconds: it ends in time all the same."""

from collections.abc import Iterator

import pytest

from outages.cases import CASES, Case
from outages.shop import Shop, open_shop

SLOW = [case for case in CASES if case.slow]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


@pytest.mark.parametrize("case", SLOW, ids=[case.name for case in SLOW])
def test_a_call_that_hangs_for_seconds_ends_in_time(shop: Shop, case: Case) -> None:
    assert case.run(shop).milliseconds < 1.5 * case.milliseconds
