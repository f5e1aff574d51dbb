"""A bad night is stopped before it trains, with its reasons; an ordinary one is not."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from factories import event
from personalization.events import Item
from training.acts import ActLog, collect
from training.data_checks import Soundness, check_data, read_soundness, save_soundness
from training.data_report import data_page
from training.statistics import Day

TODAY = date(2026, 2, 1)
NEWEST = TODAY - timedelta(days=1)
NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)


def day(events: int = 6_000, **changes: object) -> Day:
    traits = {
        "event type": {"click": events // 2, "view": events // 2},
        "hour": {f"{hour:02}": events // 24 for hour in range(24)},
        "device": {"mobile": events // 3, "desktop": events - events // 3},
        "country": {"DE": events},
    }
    usual = Day(events=events, duplicates=events // 100, repeated=3, unreadable=2, traits=traits)
    return msgspec.structs.replace(usual, **changes)


def month(newest: Day) -> dict[date, Day]:
    days = {NEWEST - timedelta(days=age): day(5_500 + 200 * (age % 7)) for age in range(1, 29)}
    return days | {NEWEST: newest, TODAY: day(40)}


def usual(number: int) -> str:
    return f"sku-{number % 40}"


def acts(popular: Callable[[int], str] = usual, *, ends: date = NEWEST) -> ActLog:
    """Four weeks in which forty items are as popular, and a last day that may differ."""
    midnight = datetime(ends.year, ends.month, ends.day, tzinfo=UTC)
    rows = []
    for age in range(28, -1, -1):
        for number in range(600):
            name = (usual if age else popular)(number)
            at = midnight - timedelta(days=age) + timedelta(seconds=number)
            rows.append(event("click", name, user_key=f"u{number}", occurred_at=at))
    items = [
        Item(item_id=f"sku-{number}", category="even" if number % 2 == 0 else "odd") for number in range(40)
    ]
    return collect(rows, items)


LOG = acts()


def judged(newest: Day, log: ActLog = LOG, accepted: tuple[str, ...] = ()) -> Soundness:
    return check_data(month(newest), log, now=NOW, accepted=accepted)


def failed(soundness: Soundness) -> list[str]:
    return [check.name for check in soundness.checks if not check.passed]


def test_an_ordinary_night_trains() -> None:
    assert judged(day()).train
    assert failed(judged(day())) == []


@pytest.mark.parametrize(
    ("newest", "check"),
    [
        (day(unreadable=700), "schema"),
        (day(duplicates=2_000), "duplicates"),
        (day(1_200), "volume"),
        (day(60_000), "volume"),
        (day(traits=day().traits | {"event type": {"click": 5_900, "view": 100}}), "event type mix"),
        (day(traits=day().traits | {"hour": {"03": 6_000}}), "hour mix"),
        (day(traits=day().traits | {"device": {"bot-farm": 5_000, "desktop": 1_000}}), "device mix"),
        (day(traits=day().traits | {"country": {"XX": 6_000}}), "country mix"),
    ],
)
def test_a_bad_night_is_stopped_with_its_reason(newest: Day, check: str) -> None:
    stopped = judged(newest)
    assert not stopped.train
    assert failed(stopped) == [check]
    assert stopped.reasons[0].startswith(f"{check}: ")


def test_what_people_turn_to_may_drift_too() -> None:
    assert failed(judged(day(), acts(lambda number: f"sku-{2 * (number % 20)}"))) == [
        "category mix",
        "popularity",
    ]


def test_a_dried_up_source_is_stopped() -> None:
    assert failed(judged(day(), acts(ends=NEWEST - timedelta(days=9)))) == ["freshness"]


def test_a_person_who_knows_better_may_accept_a_check_by_name() -> None:
    accepted = judged(day(60_000), accepted=("volume",))
    assert accepted.train
    assert failed(accepted) == ["volume"]
    assert "no, accepted" in data_page(accepted)
    assert not judged(day(60_000, unreadable=9_000), accepted=("volume",)).train


def test_a_first_night_has_nothing_to_compare_with() -> None:
    assert check_data({NEWEST: day()}, LOG, now=NOW).train


def test_an_empty_lake_is_stopped() -> None:
    stopped = check_data({}, collect([]), now=NOW)
    assert not stopped.train
    assert failed(stopped) == ["freshness"]
    assert "The night stops here" in data_page(stopped)


def test_what_clients_send_is_only_ever_text_in_the_page() -> None:
    hostile = day(traits=day().traits | {"device": {"<script>": 6_000}})
    assert "<script>" not in data_page(judged(hostile))


def test_a_verdict_survives_the_disk(tmp_path: Path) -> None:
    assert read_soundness(tmp_path) is None
    save_soundness(judged(day()), tmp_path)
    assert read_soundness(tmp_path) == judged(day())
