"""A hundred thousand bad inputs; and the proof that the attack would find what it looks for."""

from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from hostile.__main__ import show
from hostile.attack import attack
from personalization import events
from personalization.adapters.kinesis import KinesisEventStream
from personalization.runtime import http

INPUTS = 100_000


def test_a_hundred_thousand_bad_inputs_do_no_harm() -> None:
    tally = attack(INPUTS)
    show(tally, Console(width=100))
    assert tally.inputs.total() >= INPUTS
    assert tally.honest > INPUTS / 25


def long_reasons(patch: pytest.MonkeyPatch) -> None:
    """Quote in a reason all that was sent."""
    patch.setattr(events, "MAX_REASON", 10**9)


def told_internals(patch: pytest.MonkeyPatch) -> None:
    """Answer with the exception's text."""
    refuse = http.problem
    patch.setattr(
        http, "problem", lambda *args: refuse(*args[:2], f"msgspec.DecodeError: {args[2]}", args[3])
    )


def lost_event(patch: pytest.MonkeyPatch) -> None:
    """Acknowledge a batch and drop its last event."""
    send = KinesisEventStream.send
    patch.setattr(KinesisEventStream, "send", lambda stream, batch: send(stream, batch[:-1]))


def unhandled_error(patch: pytest.MonkeyPatch) -> None:
    """Let what msgspec raises for text that is no UTF-8 through."""
    decode = events._decode

    def careless(decoder: Any, raw: Any, *limit: Any) -> Any:
        bytes(raw).decode()
        return decode(decoder, raw, *limit)

    patch.setattr(events, "_decode", careless)


@pytest.mark.parametrize("plant", [long_reasons, told_internals, lost_event, unhandled_error])
def test_a_planted_defect_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        attack(1_000)
