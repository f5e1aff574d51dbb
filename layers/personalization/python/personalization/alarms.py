"""Alarms as people read them: ringing ones first, under a name in words, with the way to the runbook."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

_URGENCY: Final = {"ALARM": 0, "INSUFFICIENT_DATA": 1, "OK": 2}
_RUNBOOK: Final = re.compile(r"https://[^\s<>\"']+[\w/#]|\bdocs/runbooks/[\w./-]*\w")
# As CloudFormation makes names: the stack, the logical id, which ends in a hash, and random characters.
_MADE_UP: Final = re.compile(r"(?:[0-9A-F]{8})?(?:-[0-9A-Za-z]{12,13})?$")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


class Alarm(Struct, frozen=True, kw_only=True):
    """One alarm.

    Attributes
    ----------
    state
        `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    since
        When it came into this state.
    tells
        Whether anybody is told when it rings; others are part of a composite alarm.
    """

    name: str
    state: str
    reason: str
    description: str
    since: datetime
    composite: bool
    tells: bool


class ShownAlarm(Alarm, frozen=True, kw_only=True):
    """An alarm with a title in words, and the page to open when it rings, if its description names one."""

    title: str
    runbook: str | None


def shown_alarms(alarms: Iterable[Alarm]) -> list[ShownAlarm]:
    """Order alarms: ringing, then without data, then quiet; the last change first within each."""
    ordered = sorted(alarms, key=lambda alarm: (_URGENCY.get(alarm.state, 0), -alarm.since.timestamp()))
    return [
        ShownAlarm(
            **{name: getattr(alarm, name) for name in Alarm.__struct_fields__},
            title=title_of(alarm.name),
            runbook=runbook_of(alarm.description),
        )
        for alarm in ordered
    ]


def title_of(name: str) -> str:
    """Turn a name that CloudFormation made up into words.

    >>> title_of("attune-prod-observability-AlarmsClickRateHomeRankingModel2F9C11AB-1BZ5J2H7K3QX")
    'Click rate home ranking model'
    >>> title_of("attune-local-observability-AlarmsUpdateProfilesBehind0FD1A9D2")
    'Update profiles behind'
    """
    id_ = _MADE_UP.sub("", name, count=1).rpartition("-")[2].removeprefix("Alarms")
    words = " ".join(word if word.isupper() else word.lower() for word in _WORDS.findall(id_))
    return words[:1].upper() + words[1:] or name


def runbook_of(description: str) -> str | None:
    """Find the runbook that a description names.

    >>> runbook_of("CTR fell. Runbook: https://example.com/docs/runbooks/click-rate.md.")
    'https://example.com/docs/runbooks/click-rate.md'
    """
    found = _RUNBOOK.search(description)
    return found[0] if found else None
