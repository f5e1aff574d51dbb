"""Whatever could bring a forgotten person back checks the tombstone first."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from erasures.people import People
from erasures.ways import ANN, WAYS, make_anew, profiles
from integration.conftest import Platform


@pytest.fixture
def people(platform: Platform) -> People:
    return People(platform)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_forgotten_person_is_not_brought_back(way, people: People, tmp_path: Path) -> None:
    assert not way(people, tmp_path)


def test_who_comes_back_begins_a_new_life(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.act("ann", events=5)
    people.forget("ann")
    people.work()
    monkeypatch.setattr(
        "functions.ingest_events.handler.now", lambda: datetime.now(UTC) + timedelta(seconds=2)
    )
    people.act("ann", events=2)
    state = profiles().load([ANN])[ANN]
    assert sum(state.profile.totals) == 2
    assert state.erased_at
    assert people.traces("ann").keys() >= {"events", "PROFILE"}
    people.work()
    make_anew()
    assert sum(profiles().load([ANN])[ANN].profile.totals) == 2
