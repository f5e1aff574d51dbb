"""Outages that hang for seconds, to the end."""

from collections.abc import Iterator

import pytest

from outages.cases import CASES, Case
from outages.shop import Shop, open_shop


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_call_in_an_outage_ends_in_time(shop: Shop, case: Case) -> None:
    assert case.run(shop).milliseconds < case.milliseconds
