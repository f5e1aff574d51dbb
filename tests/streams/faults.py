"""Faults between a function and AWS, each to order, at any call it makes.

They come after botocore's own retries have given up, and before or after the call had its effect.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from threading import Lock
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from streams.mapping import FunctionError


class Fault(StrEnum):
    """What may go wrong with one call."""

    CRASH_BEFORE = "the process dies before the call"
    CRASH_AFTER = "the process dies after the call"
    UNREACHABLE = "the service is not reached"
    ANSWER_LOST = "the call has its effect, the answer is lost"
    LANDS_LATER = "the answer is lost, and the write is overtaken by others"
    THROTTLED = "the service throttles"
    SERVER_ERROR = "the service fails"
    UNPROCESSED = "DynamoDB leaves keys of a batch unread"
    NO_QUARANTINE = "the quarantine is not reached"
    RIVAL = "another process does the same batch in between"


_CODES = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400, "InternalServerError", 500),
    "s3": ("SlowDown", 503, "InternalError", 500),
    "sqs": ("RequestThrottled", 403, "InternalError", 500),
}


_WRITES = ("PutItem", "TransactWriteItems")


class Killed(BaseException):
    """The process is gone: nothing in it may catch this."""


@dataclass(eq=False)
class _Order:
    fault: Fault
    after: int


@dataclass
class _Landing:
    """A write that is still on its way, and how many others overtake it."""

    call: Callable[[], object]
    writes: int


class Faults:
    """Orders that the next matching calls meet.

    Attributes
    ----------
    injected
        How often each fault was met.
    """

    def __init__(self) -> None:
        self._orders: list[_Order] = []
        self._landing: list[_Landing] = []
        self._dead = False
        self._lock = Lock()
        self.injected: Counter[Fault] = Counter()
        self.rival: Callable[[], None] = lambda: None

    def order(self, fault: Fault, *, after: int = 0) -> None:
        """Let the call meet a fault that comes after so many others that could."""
        self._orders.append(_Order(fault, after))

    def clear(self) -> None:
        self._orders.clear()
        self.land()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inject nothing."""
        orders, self._orders = self._orders, []
        try:
            yield
        finally:
            self._orders = orders

    def land(self) -> None:
        """Let all calls have their effect that were thought lost."""
        landing, self._landing = self._landing, []
        for late in landing:
            with suppress(ClientError):
                late.call()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Meet every call of every client."""
        original = BaseClient._make_api_call

        def call(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
            return self._call(client, operation, arguments, original)

        BaseClient._make_api_call = call  # type: ignore[method-assign]
        try:
            yield
        finally:
            BaseClient._make_api_call = original  # type: ignore[method-assign]

    @contextmanager
    def invocation(self) -> Iterator[None]:
        """Run a function: whatever kills it is an error of the function, and ends its calls."""
        try:
            yield
        except Killed as error:
            raise FunctionError(str(error)) from None
        except Exception as error:
            raise FunctionError(repr(error)) from error
        finally:
            self._dead = False

    def _take(self, operation: str, arguments: dict[str, Any]) -> Fault | None:
        with self._lock:
            for order in self._orders:
                if _fits(order.fault, operation, arguments):
                    order.after -= 1
                    if order.after < 0:
                        self._orders.remove(order)
                        self.injected[order.fault] += 1
                        return order.fault
        return None

    def _call(self, client: BaseClient, operation: str, arguments: dict[str, Any], original: Any) -> Any:
        service = client.meta.service_model.service_name
        if service not in _CODES:
            return original(client, operation, arguments)
        if self._dead:
            raise Killed("a thread of a process that is gone")
        fault = self._take(operation, arguments)
        if fault is None:
            answer = original(client, operation, arguments)
            self._land_after(operation)
            return answer
        if fault in (Fault.CRASH_AFTER, Fault.ANSWER_LOST):
            original(client, operation, arguments)
        if fault is Fault.LANDS_LATER:
            call = partial(original, client, operation, arguments)
            self._landing.append(_Landing(call, writes=1 + len(self._landing)))
        if fault is Fault.RIVAL:
            self.rival()
        self._raise(fault, service, operation)
        answer = original(client, operation, arguments)
        return _unprocessed(answer, arguments) if fault is Fault.UNPROCESSED else answer

    def _land_after(self, operation: str) -> None:
        """After a write, let those have their effect whose time has come."""
        if operation in _WRITES:
            for late in self._landing:
                late.writes -= 1
            due = [late for late in self._landing if late.writes < 0]
            self._landing = [late for late in self._landing if late.writes >= 0]
            for late in due:
                with suppress(ClientError):
                    late.call()

    def _raise(self, fault: Fault, service: str, operation: str) -> None:
        match fault:
            case Fault.CRASH_BEFORE | Fault.CRASH_AFTER:
                self._dead = True
                raise Killed("the process died")
            case Fault.UNREACHABLE | Fault.NO_QUARANTINE:
                raise ConnectTimeoutError(endpoint_url=service)
            case Fault.ANSWER_LOST | Fault.LANDS_LATER:
                raise ReadTimeoutError(endpoint_url=service)
            case Fault.THROTTLED:
                raise _refusal(operation, *_CODES[service][:2])
            case Fault.SERVER_ERROR:
                raise _refusal(operation, *_CODES[service][2:])


def _fits(fault: Fault, operation: str, arguments: dict[str, Any]) -> bool:
    if fault is Fault.NO_QUARANTINE:
        return operation == "PutObject" and arguments["Key"].startswith("quarantine/")
    if fault is Fault.UNPROCESSED:
        return operation == "BatchGetItem"
    if fault in (Fault.RIVAL, Fault.LANDS_LATER):
        return operation in _WRITES
    return True


def _refusal(operation: str, code: str, status: int) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)  # type: ignore[arg-type]


def _unprocessed(answer: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the second half of what was found out of an answer."""
    ((table, asked),) = arguments["RequestItems"].items()
    found = answer["Responses"].get(table, [])
    left = found[len(found) // 2 :]
    if left:
        answer["Responses"][table] = found[: len(found) // 2]
        keys = [{name: row[name] for name in ("pk", "sk")} for row in left]
        answer["UnprocessedKeys"] = {table: {**asked, "Keys": keys}}
    return answer
