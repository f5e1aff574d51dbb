"""AppConfig's two calls for readers over HTTP, which moto does not know: tokens are good once, as on AWS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from time import sleep
from urllib.parse import parse_qs, urlsplit

INTERVAL = 60


@dataclass
class AppConfig:
    """What is deployed, how it answers, and what it was asked."""

    content: bytes = b""
    failing: bool = False
    delay: float = 0.0
    url: str = ""
    sessions: list[dict] = field(default_factory=list)
    polls: int = 0
    _sent: dict[str, bytes] = field(default_factory=dict)
    _tokens: Iterator[int] = field(default_factory=count)

    def deploy(self, content: str | bytes) -> None:
        self.content = content if isinstance(content, bytes) else content.encode()

    def begin(self, session: dict) -> str:
        self.sessions.append(session)
        return self._token(b"")

    def latest(self, token: str) -> tuple[str, bytes] | None:
        if token not in self._sent:
            return None
        self.polls += 1
        known = self._sent.pop(token)
        return self._token(self.content), b"" if known == self.content else self.content

    def _token(self, sent: bytes) -> str:
        token = f"token-{next(self._tokens)}"
        self._sent[token] = sent
        return token


@contextmanager
def app_config(content: str | bytes = b"") -> Iterator[AppConfig]:
    state = AppConfig()
    state.deploy(content)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._answer(
                201, json.dumps({"InitialConfigurationToken": state.begin(json.loads(body))}).encode()
            )

        def do_GET(self) -> None:
            found = state.latest(parse_qs(urlsplit(self.path).query)["configuration_token"][0])
            if found is None:
                self._answer(400, b'{"message": "used token"}', {"x-amzn-ErrorType": "BadRequestException"})
                return
            token, content = found
            headers = {"Next-Poll-Configuration-Token": token, "Next-Poll-Interval-In-Seconds": str(INTERVAL)}
            self._answer(200, content, headers)

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            sleep(state.delay)
            self.send_response(500 if state.failing else status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            with suppress(BrokenPipeError):  # Whoever asked may have given up.
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
