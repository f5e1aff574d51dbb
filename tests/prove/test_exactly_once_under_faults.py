"""A long storm of faults, and the proof that each safeguard is needed: without it the storm does harm."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from rich.console import Console

import streams.world
from personalization import archiving, projection
from personalization.adapters.dynamodb import DynamoProfileStore
from personalization.errors import Unavailable
from personalization.ledger import Mark, SeenIds
from personalization.projection import Projector
from personalization.visitors import Person
from streams.__main__ import show
from streams.mapping import Options
from streams.storm import rage

RUNS = 150


def test_a_long_storm_loses_nothing_and_applies_nothing_twice() -> None:
    tally = rage(RUNS)
    show(tally, Console(width=100))
    assert tally.runs >= RUNS
    assert len(tally.trouble) >= 20


def no_guard(patch: pytest.MonkeyPatch) -> None:
    """Write profiles without asking whether somebody else wrote."""
    guarded = DynamoProfileStore.save

    class Unguarded:
        def __init__(self, client: Any) -> None:
            self._client = client

        def put_item(self, **request: Any) -> None:
            self._client.put_item(TableName=request["TableName"], Item=request["Item"])

    def save(store: DynamoProfileStore, *arguments: Any, **named: Any) -> None:
        guarded(DynamoProfileStore(Unguarded(store._client), store._table_name), *arguments, **named)

    patch.setattr(DynamoProfileStore, "save", save)


def no_window(patch: pytest.MonkeyPatch) -> None:
    """Take every event for a new one."""
    remember = SeenIds.add
    patch.setattr(SeenIds, "add", lambda seen, name: remember(seen, name) or True)


def no_mark(patch: pytest.MonkeyPatch) -> None:
    """Take every record for one that was not applied yet."""
    numbers = count(1)
    patch.setattr(Mark, "of", classmethod(lambda cls, *_: cls(2**39, f"{next(numbers):056d}")))


def no_partial_response(patch: pytest.MonkeyPatch) -> None:
    """Let Lambda take a batch with failures for a good one."""
    patch.setattr(streams.world, "PROFILES", Options(batch_size=20, lanes=2, partial=False))


def no_epoch(patch: pytest.MonkeyPatch) -> None:
    """Take a recreated stream for the old one."""
    patch.setattr(projection.Mark, "of", classmethod(lambda cls, _, number: cls(0, number.zfill(56))))


def no_quarantine(patch: pytest.MonkeyPatch) -> None:
    """Go past a record that could not be set aside."""

    def set_aside(projector: Projector, record: Any, reason: str, result: Any, deadline: Any) -> bool:
        with suppress(Unavailable):
            projector.quarantine.put(record, epoch=projector.epoch, reason=reason)
        return True

    patch.setattr(Projector, "_set_aside", set_aside)


def no_shard(patch: pytest.MonkeyPatch) -> None:
    """Tell records of the lake apart by their number only."""
    patch.setattr(archiving.LakeLine, "identity", property(lambda line: line.sequence_number))


def no_mark_of_visitors(patch: pytest.MonkeyPatch) -> None:
    """Fold what a merged visitor sends into the user's profile, without noting how far it was read."""

    def save(person: Person, profiles: Any, **named: Any) -> None:
        profiles.save(person.holder_key, person.holder, **named)

    patch.setattr(Person, "save", save)


def no_transaction(patch: pytest.MonkeyPatch) -> None:
    """Write user and visitor one after the other."""

    def save_together(store: DynamoProfileStore, states: Any, **named: Any) -> None:
        for key, state in states.items():
            store.save(key, state, **named)

    patch.setattr(DynamoProfileStore, "save_together", save_together)


SAFEGUARDS = (
    no_guard,
    no_window,
    no_mark,
    no_partial_response,
    no_epoch,
    no_quarantine,
    no_shard,
    no_mark_of_visitors,
    no_transaction,
)


@pytest.mark.parametrize("remove", SAFEGUARDS)
def test_no_safeguard_can_be_spared(
    remove: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(monkeypatch)
    with pytest.raises(AssertionError):
        rage(4 * RUNS)
