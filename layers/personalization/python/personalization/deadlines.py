"""Time as a budget: until when an answer is due, and calls that must not use all of it up.

A socket's timeouts bound each wait for bytes, not a call: a name that does not resolve, eight addresses tried
in turn or an answer that drips in take as long as they like. A guarded call ends when its seconds are over,
whatever it waits for (docs/decisions/0064).
"""

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import TIMEOUT_MAX
from time import monotonic, sleep
from typing import Any, Final

from personalization.errors import Unavailable

FAILURES: Final = 3
"""Calls in a row that fail before a service is left alone: one throttled key must not silence all others."""
REST_SECONDS: Final = 5.0
"""How long it is left alone; then one call tries."""
PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, on a clock that only goes on.

    Parameters
    ----------
    at
        Seconds of that clock.
    """

    at: float
    clock: Callable[[], float] = monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = monotonic) -> "Deadline":
        """Return the deadline that is so many seconds away."""
        return cls(clock() + seconds, clock)

    def part(self, share: float) -> "Deadline":
        """Return the deadline at which so much of what is left is used up."""
        return Deadline.after(share * self.remaining, self.clock)

    @property
    def remaining(self) -> float:
        """Seconds that are left; 0 once it is over."""
        return max(0.0, self.at - self.clock())

    @property
    def is_over(self) -> bool:
        """Whether nothing new should begin.

        >>> Deadline(at=5.0, clock=lambda: 5.0).is_over
        True
        """
        return not self.remaining


NEVER: Final = Deadline(float("inf"))


@dataclass
class Guard:
    """Calls to one service, each walled in by time, and none while the service does not answer.

    A circuit breaker of one process: after `FAILURES` calls in a row that failed or took too long, calls are
    refused at once for `rest_seconds`; then one is let through, and what becomes of it decides. While a call
    that was given up is still under way, no other joins it. Cost of a call: about 15 microseconds.

    Parameters
    ----------
    attempts
        Calls at most for one `call`, after a pause with full jitter: a fault that comes at once, such as
        a connection that was closed meanwhile, is worth a second try; one that used the time up gets none.
    """

    attempts: int = 2
    rest_seconds: float = REST_SECONDS
    clock: Callable[[], float] = monotonic
    pause: Callable[[float], None] = sleep
    _failures: int = 0
    _rests_until: float = float("-inf")
    _lost: Future[Any] | None = None
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "guarded"))

    def call[T](self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` does within so many seconds.

        Raises
        ------
        Unavailable
            It failed so, took too long, or was not tried.
        """
        deadline = Deadline.after(seconds, self.clock)
        if self.is_resting or deadline.is_over:
            raise Unavailable("not asked: it did not answer before, or there is no time")
        for attempt in range(self.attempts):
            try:
                result = self._once(work, deadline)
            except Unavailable:
                wait = random.uniform(0, PAUSE_SECONDS * 2**attempt)  # noqa: S311
                if attempt + 1 == self.attempts or self._is_under_way or wait >= deadline.remaining:
                    self._note_failure()
                    raise
                self.pause(wait)
            else:
                self._failures = 0
                return result
        raise AssertionError("no attempts")

    @property
    def _is_under_way(self) -> bool:
        return self._lost is not None and not self._lost.done()

    @property
    def is_resting(self) -> bool:
        """Whether a call would be refused at once."""
        return self.clock() < self._rests_until or self._is_under_way

    def _once[T](self, work: Callable[[], T], deadline: Deadline) -> T:
        future = self._worker.submit(work)
        try:
            return future.result(min(deadline.remaining, TIMEOUT_MAX))
        except TimeoutError:
            if future.cancel() or future.done():
                raise Unavailable("no time") from None
            self._lost = future
            raise Unavailable("no answer in time") from None

    def _note_failure(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._rests_until = self.clock() + self.rest_seconds
