"""No line of any function's log holds who somebody is, what they sent, where from, or a secret.

Every function gets every shape of event, each full of marks, while AWS answers and while it fails in words
that quote all it was asked. What is printed, logged at any level or raised (Lambda logs that) is searched.
"""

import contextlib
import json
import logging
import os
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError

from factories import client_event, delivered, listed
from infrastructure.api.routes import ROUTES
from infrastructure.definitions import as_json, read_definitions
from integration.conftest import CONTEXT, Platform
from integration.test_build_image import Answers
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore
from personalization.ports import ActiveModel
from personalization.runtime.observability import logger

FUNCTIONS = sorted(path.parent.name for path in Path("functions").glob("*/handler.py"))
ADDRESS, ADDRESS_6 = "203.0.113.77", "2001:db8::7:77"
SENT = "mark-of-a-person"
BEARER = f"eyJhbGciOiJub25lIn0.{b64encode(SENT.encode()).decode()}.c2lnbmVk"
SECRETS = ("user-key-secret", "token-secret", "mark-of-a-session-token")
MARKS = (SENT, SENT.upper(), b64encode(SENT.encode()).decode()[:20], ADDRESS, ADDRESS_6, BEARER, *SECRETS)
NOT_SHIPPED = ("moto", "responses", "werkzeug", "asyncio")
"""Loggers of the tests' own AWS."""


@dataclass
class Log:
    """All that a function writes, and what Lambda writes of what it raises."""

    text: StringIO = field(default_factory=StringIO)
    answered: set[str] = field(default_factory=set)
    receipts: set[str] = field(default_factory=set)

    def call(self, function: str, event: dict[str, Any]) -> None:
        handler = import_module(f"functions.{function}.handler").handler
        with contextlib.redirect_stdout(self.text), contextlib.redirect_stderr(self.text):
            try:
                answer = handler(event, CONTEXT_WITH_TIME)
            except Exception as error:
                print(type(error).__name__, error)  # noqa: T201 (as the runtime of Lambda does)
                return
        self.answered.add(function)
        if function == "get_recommendations":
            self.receipts.add(json.loads(answer["body"]).get("recommendation_id") or SECRETS[0])

    def leaks(self) -> list[str]:
        marks = (*MARKS, *self.receipts)
        return [line for line in self.text.getvalue().splitlines() if any(mark in line for mark in marks)]


CONTEXT_WITH_TIME = SimpleNamespace(
    **vars(CONTEXT) | {"memory_limit_in_mb": 3008}, get_remaining_time_in_millis=lambda: 800_000
)


class _Shipped(logging.Filter):
    """As Lambda's own handler of the root: what Powertools writes itself is not written twice."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.name.startswith(NOT_SHIPPED) and record.name != logger.name


@pytest.fixture
def log(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A deployed platform with a model in service, that logs all there is to log."""
    del platform
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRETS[2])
    monkeypatch.setenv("ROLLBACK_HOURS", "24")
    store = DynamoListStore(boto3.client("dynamodb"), "table")
    for name in (keys.TRENDING, keys.POPULAR):
        store.write_list(keys.segment_key(name, version="v1"), listed("sku-1"), expires_at=2**31)
    store.activate(ActiveModel("v1", None, 0))
    found = Log()
    everything = logging.StreamHandler(found.text)
    everything.addFilter(_Shipped())
    root, levels = logging.getLogger(), (logging.getLogger().level, logger.log_level)
    stream = logger.registered_handler.setStream(found.text)  # type: ignore[attr-defined]
    root.addHandler(everything)
    root.setLevel(logging.DEBUG)
    logger.setLevel("DEBUG")
    yield found
    logger.registered_handler.setStream(stream or sys.stdout)  # type: ignore[attr-defined]
    root.removeHandler(everything)
    root.setLevel(levels[0])
    logger.setLevel(levels[1])


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each route's request, with a mark wherever a client may put one."""
    entry = client_event(
        user_id=SENT, event_id=SENT, recommendation_id=SENT * 9, context={"user_agent": SENT}
    )
    bodies = ("", SENT, json.dumps([entry, entry | {"event_type": SENT}]), json.dumps({"events": SENT}))
    console = [(f"GET /v1/admin/{name}", "get_console_data") for name in ("alarms", "users/{user_id}")]
    for key, function in [*((f"{row.method} {row.path}", row.function) for row in ROUTES), *console]:
        for body in bodies:
            yield function, request(key, body)


def request(key: str, body: str) -> dict[str, Any]:
    names = ("user_id", "name", "asset", "item_id")
    asked = {"exclude": SENT, "hours": SENT, SENT: SENT} if body == SENT else None
    return {
        "routeKey": key,
        "rawPath": f"/v1/{SENT}",
        "rawQueryString": f"exclude={SENT}",
        "cookies": [SENT],
        "headers": {
            "authorization": f"Bearer {BEARER}",
            "x-forwarded-for": f"{ADDRESS}, {ADDRESS_6}",
            "user-agent": SENT,
            "cookie": SENT,
            "x-amz-security-token": SECRETS[2],
        },
        "pathParameters": {name: SENT for name in names if f"{{{name}}}" in key} or None,
        "queryStringParameters": asked,
        "requestContext": {
            "http": {"sourceIp": ADDRESS, "userAgent": SENT, "path": SENT, "method": "GET"},
            "authorizer": {"iam": {"accessKey": SENT, "userArn": SENT}},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def tasks(address: str) -> Iterator[dict[str, Any]]:
    """What else calls a function: stream, queue, log, schedule, workflow, alarm, deployment, dashboard."""
    event = json.dumps(client_event(user_id=SENT, item_id=SENT, recommendation_id=SENT * 9))
    for data in (SENT.encode(), event.encode(), b'{"user_key": "%s"}' % SENT.encode()):
        coded = b64encode(data).decode()
        arrived = {"sequenceNumber": "1", "partitionKey": SENT, "data": coded}
        kinesis = arrived | {"approximateArrivalTimestamp": 1_768_478_400.0}
        yield {"Records": [{"eventID": "shard-0:1", "kinesis": kinesis}]}
        yield {"Records": [{"messageId": "1", "body": data.decode(), "attributes": {"SentTimestamp": "1"}}]}
        yield delivered(data.decode(), json.dumps({"message": "exposure", "exposure": SENT}))
        yield {"content": coded, "configurationVersion": "1"}
        yield {"user_key": SENT, "user_id": SENT, "body": data.decode()}
    user = json.dumps({"user_key": "u" * 43, "surfaces": ["home"]})
    yield {"Records": [{"messageId": "1", "body": user, "attributes": {"SentTimestamp": "1"}}]}
    properties = {"Project": "images", "Tag": "t"}
    told = {"RequestType": "Delete", "StackId": "s", "RequestId": "r", "LogicalResourceId": "l"}
    for told_at in (address, "http://127.0.0.1:9"):
        url = f"{told_at}?X-Amz-Signature={SENT}"
        yield {"ResourceProperties": properties, "ResponseURL": url, **told}
    defined = b64encode(as_json(read_definitions()).encode()).decode()
    yield {"content": defined, "configurationVersion": "1"}
    yield {"detail": {"alarmName": "click-rate"}}
    secret = os.environ["TOKEN_SECRET_ARN"]
    yield {"SecretId": secret, "ClientRequestToken": "t" * 32, "Step": "testSecret"}
    yield request("GET /v1/users/{user_id}/recommendations", "") | {"identitySource": [f"Bearer {BEARER}"]}
    yield {"experiments": "home-ranking", "widgetContext": {"accountId": "1"}}
    for step in ("champion", "prepare", "gate", "publish"):
        yield {"step": step, "run_id": "tonight", "now": "2026-01-15T12:00:00+00:00", "shard_count": 1}
    yield {}


def quoting(error: Callable[[str, str], Exception]) -> Callable[..., Any]:
    def fail(_client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        raise error(operation, f"{operation} of {SENT} from {ADDRESS}: {parameters!r} {SECRETS[0]}")

    return fail


def refused(operation: str, text: str) -> Exception:
    return ClientError({"Error": {"Code": "ValidationException", "Message": text}}, operation)


FAULTS: dict[str, Callable[[str, str], Exception]] = {
    "refusal": refused,
    "crash": lambda _operation, text: RuntimeError(text),
    "outage": lambda _operation, text: EndpointConnectionError(endpoint_url=text),
}


def drive(log: Log) -> None:
    answers = Answers()
    for function, event in requests():
        log.call(function, event)
    for function in FUNCTIONS:
        for event in tasks(answers.url):
            log.call(function, event)
    answers.server.shutdown()


def test_no_log_line_tells_of_a_person_while_all_is_well(log: Log, platform: Platform) -> None:
    drive(log)
    for function in ("update_profiles", "archive_events"):
        log.call(function, platform.stream_batch())
    assert log.leaks() == []
    silent = set(FUNCTIONS) - log.answered
    assert not silent, f"these were never answered, so nothing is proven of them: {silent}"
    assert '"exposure"' in log.text.getvalue()


# A crash of the thread that reads AppConfig, which asks for nobody, ends that thread alone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_no_log_line_tells_of_a_person_when_aws_fails(
    log: Log, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseClient, "_make_api_call", quoting(FAULTS[fault]))
    drive(log)
    assert log.leaks() == []
    assert "Traceback" in log.text.getvalue() or '"exception"' in log.text.getvalue()


def test_the_search_finds_a_mark(log: Log) -> None:
    print("before", SENT, "after", file=log.text)
    assert len(log.leaks()) == 1
