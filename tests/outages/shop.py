"""A small shop behind the sockets: two users, shared lists, a model in service, and the real handlers."""

import json
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from io import StringIO
from time import monotonic, perf_counter
from typing import Any

import boto3
import pytest

from contracts.conftest import TABLE
from factories import client_event, event, listed
from infrastructure.definitions import read_definitions
from infrastructure.environments import ENVIRONMENTS
from integration.conftest import Platform, deployed
from outages.wire import Mode, Wire, sockets
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.events import encode_event
from personalization.experiments import Definitions, Visitor
from personalization.identity import user_key
from personalization.ports import ActiveModel, UserState
from personalization.profiles import Profile, apply
from personalization.runtime.observability import logger
from personalization.shared import pack

ANN, BEN = (user_key(b"user-key-secret", name) for name in ("ann", "ben"))
"""Ann's list is as new as her profile, Ben's is one act older."""
SHARED = {"popular": listed("p1", "p2", "p3"), "trending": listed("t1", "t2", "t3")}
FOR_EVER = 4_000_000_000


@dataclass
class Context:
    """What Lambda tells a function of its invocation."""

    timeout_seconds: float = 10.0
    function_name: str = "f"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn"
    aws_request_id: str = "request-1"
    began_at: float = field(default_factory=monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return round(1_000 * (self.timeout_seconds - (monotonic() - self.began_at)))


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    Attributes
    ----------
    answer
        Status of an HTTP answer, or what a function told the service that feeds it.
    asked
        HTTP requests that reached each service.
    """

    answer: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    milliseconds: float
    asked: Mapping[str, int]
    printed: str


@dataclass
class Shop:
    """Calls handlers, and tells how long that took and whom it asked."""

    platform: Platform
    wire: Wire

    def __post_init__(self) -> None:
        table = boto3.client("dynamodb")
        self.lists, self.profiles = DynamoListStore(table, TABLE), DynamoProfileStore(table, TABLE)
        self.objects = boto3.client("s3")
        self._stock()

    def reset(self) -> None:
        """Put everything as it is before an outage; containers are new."""
        self.forget_containers()
        self.lists.activate(ActiveModel("v1", None, int(datetime.now(UTC).timestamp())))
        self.objects.put_object(Bucket="models", Key=keys.SHARED_COPY, Body=pack(SHARED))

    def _stock(self) -> None:
        store, now = self.lists, datetime.now(UTC)
        for name, shared in SHARED.items():
            store.write_list(keys.segment_key(name, version="v1"), shared, expires_at=FOR_EVER)
        known = read_definitions()
        for user, revision in ((ANN, 1), (BEN, 0)):
            self._act(user)
            for definitions in (known, Definitions(defaults=known.defaults)):
                for build in definitions.builds(Visitor(user), "home", now, any_session=True):
                    key = keys.list_key(user, surface="home", version="v1", build=build)
                    own = listed("a1", "a2", revision=revision, ranker=build.ranker)
                    store.write_list(key, own, expires_at=FOR_EVER)

    def _act(self, user: str) -> None:
        state = UserState()
        apply(state.profile, event("click", "sku-9", user_key=user))
        self.profiles.save(user, state, version=f"stocked-{user}", now=datetime.now(UTC))

    def forget_containers(self) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("functions.") and name.endswith(".dependencies"):
                for value in vars(module).values():
                    if hasattr(value, "cache_clear") and getattr(value, "__module__", "") == name:
                        value.cache_clear()

    def warm(self) -> None:
        """Have each function that answers read what it keeps."""
        for _ in range(2):
            self.recommendations()
            self.trending()

    def call(self, function: str, event: Mapping[str, Any], *, timeout: float = 10.0) -> Outcome:
        """Invoke a function; an exception is what Lambda would be told."""
        handler = import_module(f"functions.{function}.handler").handler
        self.wire.asked.clear()
        printed, start = StringIO(), perf_counter()
        with redirect_stdout(printed), _logging_to(printed):
            try:
                answer = handler(event, Context(timeout))
            except Exception as error:
                answer = {"error": type(error).__name__}
        milliseconds = 1_000 * (perf_counter() - start)
        return _outcome(answer or {}, milliseconds, dict(self.wire.asked), printed.getvalue())

    def recommendations(self, user: str = "ann") -> Outcome:
        return self.call("get_recommendations", {"headers": {}, "pathParameters": {"user_id": user}})

    def trending(self) -> Outcome:
        return self.call("get_trending", {"headers": {}})

    def events(self, count: int = 4) -> Outcome:
        at = datetime.now(UTC).isoformat()
        batch = [client_event(event_id=f"e-{number}", occurred_at=at) for number in range(count)]
        return self.call("ingest_events", {"headers": {}, "body": json.dumps(batch)}, timeout=15.0)

    def profile(self, user: str) -> Profile:
        return self.profiles.load([user])[user].profile


@contextmanager
def _logging_to(stream: StringIO) -> Iterator[None]:
    before = logger.registered_handler.setStream(stream)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        logger.registered_handler.setStream(before)  # type: ignore[attr-defined]


def kinesis_batch(*records: tuple[str, bytes]) -> dict[str, Any]:
    """Hand records (partition key, bytes) over as Lambda does."""
    at = datetime.now(UTC).timestamp()
    return {
        "Records": [
            {
                "eventID": f"shard-0:{number}",
                "kinesis": {
                    "sequenceNumber": str(number),
                    "partitionKey": key,
                    "data": b64encode(data).decode(),
                    "approximateArrivalTimestamp": at,
                },
            }
            for number, (key, data) in enumerate(records, start=1_000)
        ]
    }


def clicks(users: int, prefix: str) -> dict[str, Any]:
    """One click of each of so many new users."""
    at = datetime.now(UTC)
    rows = [event("click", "sku-1", user_key=f"{prefix}-{n}", occurred_at=at) for n in range(users)]
    return kinesis_batch(*((row.user_key, encode_event(row)) for row in rows))


def refreshes(*users: str) -> dict[str, Any]:
    """Messages of the refresh queue, one a user."""
    attributes = {"SentTimestamp": str(int(datetime.now(UTC).timestamp() * 1_000))}
    return {
        "Records": [
            {"messageId": user, "body": json.dumps({"user_key": user}), "attributes": attributes}
            for user in users
        ]
    }


def _outcome(
    answer: Mapping[str, Any], milliseconds: float, asked: Mapping[str, int], printed: str
) -> Outcome:
    if "statusCode" in answer:
        said, body = str(answer["statusCode"]), json.loads(answer["body"])
        return Outcome(said, body, answer["headers"], milliseconds, asked, printed)
    failed = answer.get("batchItemFailures")
    said = f"raises {answer['error']}" if "error" in answer else f"{len(failed or ())} again"
    return Outcome(said, answer, {}, milliseconds, asked, printed)


@contextmanager
def open_shop(answer_milliseconds: int = ENVIRONMENTS["prod"].answer_milliseconds) -> Iterator[Shop]:
    """A shop whose functions reach AWS through the sockets; the shop itself does not."""
    with pytest.MonkeyPatch.context() as patch, deployed(patch) as platform, sockets() as wire:
        patch.setenv("ALARM_PREFIX", "attune-test-")
        patch.setenv("ANSWER_MILLISECONDS", str(answer_milliseconds))
        shop = Shop(platform, wire)
        with _through(wire):
            yield shop


@contextmanager
def _through(wire: Wire) -> Iterator[None]:
    """Have the functions' clients, and no others, go through the sockets."""
    from personalization.adapters import clients

    direct = clients.boto3.client

    def client(service: str, **options: Any) -> Any:
        return direct(service, endpoint_url=wire.urls.get(service), **options)

    clients.boto3 = type("Boto", (), {"client": staticmethod(client)})  # type: ignore[assignment]
    try:
        yield
    finally:
        clients.boto3 = boto3


__all__ = ["ANN", "BEN", "Mode", "Outcome", "Shop", "clicks", "kinesis_batch", "open_shop", "refreshes"]
