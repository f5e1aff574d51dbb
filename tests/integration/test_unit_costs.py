"""What the price of a month is made of is what the real functions do, measured anew on moto."""

from dataclasses import asdict

import pytest

from benchmarks.unit_costs import measure
from infrastructure.cost.quantities import MEASURED

pytestmark = pytest.mark.xdist_group("containers")
EXACT = ("post_calls", "post_read_units", "fold_read_units", "answer_read_units", "answer_log_lines")
EXACT += ("item_read_units", "item_write_units", "refresh_read_units", "refresh_write_units")


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    return asdict(measure(users=60, trees=8))


def test_calls_and_units_are_as_stated(measured: dict[str, float]) -> None:
    stated = asdict(MEASURED)
    assert {name: measured[name] for name in EXACT} == {name: stated[name] for name in EXACT}


def test_bytes_are_as_stated(measured: dict[str, float]) -> None:
    """Sizes go by what random shoppers do, and by the length of today's times: a tenth more or less."""
    stated = asdict(MEASURED)
    names = [name for name in stated if name.endswith(("_bytes", "_write_units"))]
    names += [name for name in stated if name.startswith("night_") and not name.endswith("_bytes")]
    assert {name: measured[name] for name in names} == pytest.approx(
        {name: stated[name] for name in names}, rel=0.1
    )
