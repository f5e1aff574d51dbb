"""Alarms as people read them."""

from datetime import timedelta

import pytest

from factories import NOW
from personalization.alarms import Alarm, runbook_of, shown_alarms, title_of


def alarm(name: str, state: str, minutes_ago: int = 0, description: str = "") -> Alarm:
    return Alarm(
        name=name,
        state=state,
        reason="",
        description=description,
        since=NOW - timedelta(minutes=minutes_ago),
        composite=False,
        tells=True,
    )


def test_ringing_alarms_come_first_then_those_without_data_the_last_change_first() -> None:
    alarms = [
        alarm("quiet", "OK"),
        alarm("rang-before", "ALARM", 30),
        alarm("no-data", "INSUFFICIENT_DATA"),
        alarm("rang-now", "ALARM", 1),
    ]
    assert [one.name for one in shown_alarms(alarms)] == ["rang-now", "rang-before", "no-data", "quiet"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("attune-dev-observability-AlarmsServerErrors0B7E44D1-9QK2M4X7T1ZP", "Server errors"),
        ("attune-dev-observability-AlarmsP99LatencyE44D10B7-9QK2M4X7T1ZP", "P 99 latency"),
        ("chosen by hand", "Chosen by hand"),
        ("???", "???"),
    ],
)
def test_made_up_names_become_words_and_others_stay_readable(name: str, title: str) -> None:
    assert title_of(name) == title


@pytest.mark.parametrize(
    ("description", "runbook"),
    [
        (
            "CTR fell. https://git.example.com/a/blob/main/docs/runbooks/click-rate.md",
            "https://git.example.com/a/blob/main/docs/runbooks/click-rate.md",
        ),
        ("CTR fell: see docs/runbooks/click-rate.md.", "docs/runbooks/click-rate.md"),
        ("CTR fell.", None),
        ("javascript:alert(1)", None),
        ("http://example.com/not-encrypted", None),
        ('https://example.com/a"><script>', "https://example.com/a"),
    ],
)
def test_the_runbook_is_an_encrypted_address_or_a_page_of_the_repository(
    description: str, runbook: str | None
) -> None:
    assert runbook_of(description) == runbook
