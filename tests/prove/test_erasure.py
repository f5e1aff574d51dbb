"""The proofs about forgetting people: each check is needed, and what is deployed forgets within minutes."""

from pathlib import Path

import pytest

from erasures.people import People
from erasures.ways import WAYS
from integration.conftest import deployed


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_without_its_check_a_forgotten_person_would_come_back(
    way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deployed(monkeypatch) as platform:
        monkeypatch.setattr(*WAYS[way])
        assert way(People(platform), tmp_path)
