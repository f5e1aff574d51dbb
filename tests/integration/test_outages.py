"""What each outage comes to: answers in time, bounded calls, nothing lost (docs/reliability.md).

Clients, timeouts, retries and sockets are real; those that take seconds are in `make prove`.
"""

from collections.abc import Iterator

import pytest

from infrastructure.environments import PROD
from outages.cases import CASES, Case
from outages.shop import Shop, open_shop

pytestmark = pytest.mark.xdist_group("outages")
QUICK = [case for case in CASES if not case.slow]
GRACE = 15_000
"""Milliseconds for a machine that is busy with other tests: what hangs takes longer by far."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop(3 * PROD.answer_milliseconds) as opened:
        yield opened


@pytest.mark.parametrize("case", QUICK, ids=[case.name for case in QUICK])
def test_an_outage_costs_no_more_than_it_must(shop: Shop, case: Case) -> None:
    outcome = case.run(shop)
    assert outcome.milliseconds < case.milliseconds + GRACE
