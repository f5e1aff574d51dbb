"""What the demo concludes: books that balance or don't, and how fast lists change."""

import math
from dataclasses import replace

import pytest

from infrastructure.local.demo.books import Books
from infrastructure.local.demo.showcase import Change, percentiles

BALANCED = Books(
    sent=12,
    accepted=10,
    rejected=2,
    fates={"applied": 6, "duplicate": 1, "filtered": 2, "quarantined": 1},
    lake=10,
)


def changes(*seconds: float) -> list[Change]:
    return [Change("ann", "lamp-1", ["a"], ["b"], value) for value in seconds]


def test_the_books_balance_when_every_event_is_accounted_for() -> None:
    assert BALANCED.balanced


@pytest.mark.parametrize(
    "loss",
    [{"sent": 13}, {"rejected": 1}, {"lake": 9}, {"lake": 11}, {"fates": {"applied": 9}}],
    ids=["unanswered", "unexplained", "not archived", "archived twice", "without a fate"],
)
def test_one_event_too_few_or_too_many_anywhere_unbalances_them(loss: dict) -> None:
    assert not replace(BALANCED, **loss).balanced


def test_the_speed_of_changes_is_told_by_median_and_95th_percentile() -> None:
    median, late = percentiles(changes(*range(101)))
    assert (median, late) == (50, pytest.approx(95))


def test_a_single_change_is_its_own_median_and_no_change_has_none() -> None:
    assert percentiles(changes(0.4)) == (0.4, 0.4)
    assert all(map(math.isnan, percentiles([])))
