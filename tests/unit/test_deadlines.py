"""Calls that end in time, and services that are left alone while they don't answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event
from time import perf_counter
from types import SimpleNamespace

import pytest

from personalization.adapters.clients import BEHIND_A_QUEUE, INGESTING, ON_REQUEST, Patience, in_an_answer
from personalization.deadlines import FAILURES, REST_SECONDS, Deadline, Guard
from personalization.errors import InvalidInput, Unavailable
from personalization.runtime.due import RESERVE_SECONDS, due_in


@dataclass
class Service:
    """Answers, or fails, and counts who asks; its clock is the test's."""

    fails: bool = False
    asked: int = 0
    now: float = 100.0
    paused: list[float] = field(default_factory=list)

    def guard(self, attempts: int = 2) -> Guard:
        return Guard(attempts, clock=lambda: self.now, pause=self.paused.append)

    def answer(self) -> str:
        self.asked += 1
        if self.fails:
            raise Unavailable("down")
        return "answer"


def refused(guard: Guard, work: Callable[[], object], seconds: float = 1.0) -> None:
    with pytest.raises(Unavailable):
        guard.call(work, seconds)


@pytest.fixture
def hung() -> Iterator[Event]:
    """What a call waits for that hangs: it ends with the test."""
    event = Event()
    yield event
    event.set()


def test_a_service_that_answers_is_asked_once() -> None:
    service = Service()
    assert service.guard().call(service.answer, 1.0) == "answer"
    assert (service.asked, service.paused) == (1, [])


def test_a_fault_that_comes_at_once_is_worth_one_more_try_after_a_pause() -> None:
    service = Service(fails=True)
    refused(service.guard(), service.answer)
    assert service.asked == 2
    assert len(service.paused) == 1
    assert 0 <= service.paused[0] <= 0.05


def test_a_call_that_hangs_ends_with_its_time_and_nobody_joins_it(hung: Event) -> None:
    guard = Guard()
    start = perf_counter()
    refused(guard, hung.wait, 0.05)
    assert 0.05 <= perf_counter() - start < 0.5
    service = Service()
    refused(guard, service.answer)
    assert service.asked == 0


def test_a_hung_call_that_ends_lets_others_through(hung: Event) -> None:
    guard = Guard()
    refused(guard, hung.wait, 0.01)
    hung.set()
    while guard.is_resting:
        pass
    assert guard.call(lambda: "answer", 1.0) == "answer"


def test_after_three_failures_in_a_row_a_service_is_left_alone_then_tried_by_one() -> None:
    service = Service(fails=True)
    guard = service.guard(attempts=1)
    for _ in range(10):
        refused(guard, service.answer)
    assert service.asked == FAILURES
    service.now += REST_SECONDS
    refused(guard, service.answer)
    refused(guard, service.answer)
    assert service.asked == FAILURES + 1
    service.now += REST_SECONDS
    service.fails = False
    assert guard.call(service.answer, 1.0) == guard.call(service.answer, 1.0) == "answer"


def test_one_success_forgives_the_failures_before() -> None:
    service = Service()
    guard = service.guard(attempts=1)
    for number in range(12):
        service.fails = number % 3 != 2
        if service.fails:
            refused(guard, service.answer)
        else:
            guard.call(service.answer, 1.0)
    assert service.asked == 12


def test_what_is_nobodys_outage_flies_and_counts_for_nothing() -> None:
    def broken() -> None:
        raise InvalidInput("code", "reason")

    guard = Guard(attempts=1)
    for _ in range(FAILURES + 1):
        with pytest.raises(InvalidInput):
            guard.call(broken, 1.0)
    assert not guard.is_resting


def test_without_time_nothing_is_asked() -> None:
    service = Service()
    refused(service.guard(), service.answer, 0.0)
    assert service.asked == 0


def test_an_answer_is_due_before_lambda_ends_the_function() -> None:
    plenty = SimpleNamespace(get_remaining_time_in_millis=lambda: 9_000)
    little = SimpleNamespace(get_remaining_time_in_millis=lambda: 300)
    none = SimpleNamespace(get_remaining_time_in_millis=lambda: 20)
    assert due_in(0.8, plenty).remaining == pytest.approx(0.8, abs=0.05)
    assert due_in(0.8, little).remaining == pytest.approx(0.3 - RESERVE_SECONDS, abs=0.05)
    assert due_in(0.8, none).is_over
    assert due_in(0.8, object()).remaining == pytest.approx(0.8, abs=0.05)


def test_a_part_of_a_deadline_comes_first() -> None:
    deadline = Deadline(at=10.0, clock=lambda: 5.0)
    assert deadline.part(0.6).remaining == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("patience", "longest"),
    [(in_an_answer(0.8), 0.5), (INGESTING, 2.5), (ON_REQUEST, 6.0), (BEHIND_A_QUEUE, 9.0)],
)
def test_each_kind_of_client_gives_up_in_time(patience: Patience, longest: float) -> None:
    assert patience.seconds == longest
