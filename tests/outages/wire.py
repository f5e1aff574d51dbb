"""A socket in front of each service: it passes requests on to moto, or hangs, closes, refuses or dawdles.

The functions' clients, their timeouts, retries and connections are the real ones, and so is their time.
Each HTTP request that arrives is counted: an attempt of botocore's, or of Attune's own.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

import requests

SERVICES = {
    "dynamodb": "https://dynamodb.us-east-1.amazonaws.com",
    "kinesis": "https://kinesis.us-east-1.amazonaws.com",
    "s3": "https://s3.amazonaws.com",
    "secretsmanager": "https://secretsmanager.us-east-1.amazonaws.com",
    "sqs": "https://sqs.us-east-1.amazonaws.com",
}
SLOW_SECONDS = 0.15
Answer = tuple[int, Mapping[str, str], bytes]
_NOT_PASSED_ON = {"host", "connection", "content-length", "transfer-encoding", "expect"}


class Mode(StrEnum):
    """How a service is."""

    WELL = "answers"
    SLOW = "is slow"
    HANGS = "hangs"
    DOWN = "is down"
    THROTTLES = "throttles"
    FAILS = "fails"
    FORBIDS = "refuses what is not there"
    """As S3 does to whoever may not list the bucket."""
    THROTTLES_HALF = "throttles half of a batch"


@dataclass
class Wire:
    """The sockets, how each service is, and how often it was asked.

    Attributes
    ----------
    released
        Set when nothing has to hang any longer.
    """

    modes: dict[str, Mode] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    urls: dict[str, str] = field(default_factory=dict)
    released: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def outage(self, **modes: Mode) -> Iterator[None]:
        """Let services be so within the block, and count what they are asked from its beginning."""
        self.released.clear()
        self.modes.update(modes)
        self.asked.clear()
        try:
            yield
        finally:
            self.modes.clear()
            self.released.set()

    def arrives(self, service: str) -> Mode:
        with self._lock:
            self.asked[service] += 1
        return self.modes.get(service, Mode.WELL)


@contextmanager
def sockets() -> Iterator[Wire]:
    """Open a socket for each service."""
    wire = Wire()
    servers = [
        ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"wire": wire, "service": service})
        )
        for service in SERVICES
    ]
    for service, server in zip(SERVICES, servers, strict=True):
        server.daemon_threads = True
        wire.urls[service] = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield wire
    finally:
        wire.released.set()
        for server in servers:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire: Wire
    service: str

    def answer(self) -> None:
        mode = self.wire.arrives(self.service)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if mode is Mode.DOWN:
            self.close_connection = True
            return
        if mode in (Mode.HANGS, Mode.SLOW):
            self.wire.released.wait(SLOW_SECONDS if mode is Mode.SLOW else 30)
        if mode is Mode.THROTTLES:
            self._send(*_refusal(self.service))
        elif mode is Mode.FORBIDS:
            self._send(403, {}, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        elif mode is Mode.FAILS:
            self._send(500, {}, b"{}")
        elif mode is Mode.THROTTLES_HALF:
            self._send(*self._pass_half_on(body))
        else:
            self._send(*self._pass_on(body))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815

    def _pass_half_on(self, body: bytes) -> Answer:
        batch = json.loads(body)
        kept, batch["Records"] = batch["Records"], batch["Records"][::2]
        status, headers, answer = self._pass_on(json.dumps(batch).encode())
        return status, headers, _half_refused(answer, len(kept))

    def _pass_on(self, body: bytes) -> Answer:
        url = SERVICES[self.service] + self.path
        found = requests.request(
            self.command, url, headers=_kept(self.headers), data=body, timeout=30, stream=True
        )
        if self.command == "HEAD":  # It tells the length of a body that it has not.
            length = int(found.headers.get("content-length", 0))
            return found.status_code, _kept(found.headers), bytes(length)
        return found.status_code, _kept(found.headers), found.content

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")
        except OSError:
            self.close_connection = True  # Whoever asked has given up.

    def log_message(self, *args: object) -> None:
        pass


def _kept(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}


def _refusal(service: str) -> Answer:
    """Refuse as the service does when it throttles."""
    if service == "s3":
        return 503, {}, b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"
    code = {"sqs": "RequestThrottled", "secretsmanager": "ThrottlingException"}.get(
        service, "ProvisionedThroughputExceededException"
    )
    body = json.dumps({"__type": code, "message": "slow down"}).encode()
    return 400, {"content-type": "application/x-amz-json-1.0"}, body


def _half_refused(answer: bytes, records: int) -> bytes:
    """Put a refusal between the records that were taken, as `PutRecords` answers when a shard is full."""
    taken = iter(json.loads(answer)["Records"])
    refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
    rows = [next(taken) if number % 2 == 0 else refused for number in range(records)]
    return json.dumps({"FailedRecordCount": records // 2, "Records": rows}).encode()
