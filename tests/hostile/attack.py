"""The attack: bad input of every shape among honest events; each answer is looked at, and the books held."""

import json
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import FrameType
from typing import Any, Final

import msgspec

from hostile.requests import (
    Request,
    bad_body,
    bad_entries,
    body_request,
    huge_bodies,
    lying_request,
    reading_request,
    wrapped,
)
from hostile.shop import Shop, opened
from infrastructure.api.answers import ConsentInForce, Problem, Receipt
from infrastructure.api.routes import ROUTES, Batch, Route, codes_of

SLOWEST_SECONDS: Final = 2.0
"""Processor time an answer may take, moto's part of it included."""
HANGS_AFTER_SECONDS: Final = 60
MAX_ANSWER_BYTES: Final = 6_291_556
"""What Lambda passes on; a larger answer is an error of the gateway."""
_INTERNALS: Final = re.compile(
    r"Traceback|File \"|\.py\b|/var/task|/opt/python|site-packages|boto|msgspec|personalization\.|"
    r"functions\.|arn:aws|amazonaws|sqs|user-key|token-secret|\btable\b|\blake\b|Exception|DecodeError|<class|0x7f"
)
_RANDOM: Final = re.compile(r'"(recommendation_id|request_id|token)":"[A-Za-z0-9_.-]*"')
"""Signed or drawn: any three letters are in it by chance."""
_WRITERS: Final = {route.function: route for route in ROUTES if isinstance(route.body, Batch)}
_READERS: Final = tuple(route for route in ROUTES if not isinstance(route.body, Batch))
_ASKED: Final = tuple(4 if route.function == "get_recommendations" else 1 for route in _READERS)
_MOST_ENTRIES: Final = 40


@dataclass
class Tally:
    """What was sent and what came back."""

    inputs: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    accepted: int = 0
    honest: int = 0
    records: int = 0


@dataclass
class Attack:
    """One attacker, and the honest senders beside."""

    shop: Shop
    random: Random
    tally: Tally = field(default_factory=Tally)

    def strike(self) -> None:
        """Send one hostile request of some kind."""
        name, way = self.random.choices(_KINDS, weights=_WEIGHTS)[0]
        self.tally.inputs[name] += way(self)

    def strike_hard(self) -> None:
        """Send whatever costs most."""
        for function in _WRITERS:
            for body in huge_bodies(function, self.shop.lately):
                self._send(function, body_request(self.random, body))
                self.tally.inputs["bodies at or beyond a limit"] += 1

    def among_honest(self) -> int:
        """Bad entries and good ones in one batch; if it is refused whole, the good ones are sent alone."""
        function = self.random.choices(list(_WRITERS), weights=(4, 1))[0]
        bad = bad_entries(self.random, function, self.random.randint(1, _MOST_ENTRIES), self.shop.lately)
        honest = self.shop.honest_event if function == "ingest_events" else self.shop.honest_item
        good = [json.dumps(honest(self.random)).encode() for _ in range(self.random.randint(1, 3))]
        entries = [(row, False) for row in bad]
        for row in good:
            entries.insert(self.random.randint(0, len(entries)), (row, True))
        body = wrapped(self.random, function, [row for row, _ in entries])
        receipt = self._send(function, body_request(self.random, body))
        if receipt is None:
            receipt = self._send(function, body_request(self.random, wrapped(self.random, function, good)))
            entries = [(row, True) for row in good]
        assert receipt is not None, "honest entries were refused"
        assert not [row for row in receipt.rejected if entries[row.index][1]]
        assert receipt.accepted + len(receipt.rejected) == len(entries)
        self.tally.honest += len(good)
        return len(bad)

    def broken_body(self) -> int:
        function = self.random.choice(list(_WRITERS))
        self._send(function, bad_body(self.random, function, self.shop.lately))
        return 1

    def false_envelope(self) -> int:
        function = self.random.choice(list(_WRITERS))
        self._send(function, lying_request(self.random, function, self.shop.lately))
        return 1

    def odd_question(self) -> int:
        route = self.random.choices(_READERS, weights=_ASKED)[0]
        body = self._ask(route, reading_request(self.random, route))
        self.tally.accepted += isinstance(body, ConsentInForce)
        return 1

    def _send(self, function: str, request: Request) -> Receipt | None:
        """Send entries; None if they were refused as a whole."""
        body = self._ask(_WRITERS[function], request)
        if not isinstance(body, Receipt):
            return None
        self.tally.accepted += body.accepted
        self.tally.rejected.update(row.code for row in body.rejected)
        return body

    def _ask(self, route: Route, request: Request) -> Any:
        event = json.loads(json.dumps(request))
        with _limit(HANGS_AFTER_SECONDS):
            before = time.thread_time()
            answer = self.shop.call(route.function, event)
            seconds = time.thread_time() - before
        body = _checked(route, answer)
        code = body.code if isinstance(body, Problem) else ""
        self.tally.answers[route.function, answer["statusCode"], code] += 1
        self.tally.slowest[route.function] = max(self.tally.slowest.get(route.function, 0.0), seconds)
        assert seconds < SLOWEST_SECONDS, f"{route.function} took {seconds:.2f} s for {str(request)[:200]}"
        return body


_KINDS: Final[tuple[tuple[str, Callable[[Attack], int]], ...]] = (
    ("bad entries among honest ones", Attack.among_honest),
    ("broken bodies", Attack.broken_body),
    ("false envelopes", Attack.false_envelope),
    ("odd paths, queries, headers", Attack.odd_question),
)
_WEIGHTS: Final = (12, 45, 15, 28)


def attack(inputs: int, *, seed: int = 1) -> Tally:
    """Send so many bad inputs and hold the books; an `AssertionError` tells what went wrong.

    About 1 ms of processor time an input.
    """
    with opened() as shop:
        attacker = Attack(shop, Random(seed))
        attacker.strike_hard()
        while attacker.tally.inputs.total() < inputs:
            attacker.strike()
        attacker.tally.records = shop.settle()
        shop.check(attacker.tally.records, attacker.tally.accepted)
        return attacker.tally


def _checked(route: Route, answer: dict[str, Any]) -> Any:
    """Hold an answer to the document, and return its body."""
    status, text = answer["statusCode"], answer["body"]
    assert len(json.dumps(answer).encode()) < MAX_ANSWER_BYTES, "the answer is larger than Lambda passes on"
    assert status < 500, text
    leak = _INTERNALS.search(_RANDOM.sub("", text)) or _INTERNALS.search(str(answer["headers"]))
    assert leak is None, f"{leak} in {text[:400]}"
    if status == route.status:
        assert answer["headers"].pop("cache-control", "no-store") == "no-store"
        assert answer["headers"] == {"content-type": "application/json"}
        return msgspec.json.decode(text, type=route.answer)
    assert answer["headers"]["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(text, type=Problem)
    assert problem.status == status
    assert problem.code in codes_of(route, status), f"{status} {problem.code} is not in the document"
    return problem


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def hangs(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
