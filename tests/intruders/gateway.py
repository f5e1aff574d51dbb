"""The guards in this process: the routes of the table as API Gateway applies them, handlers on moto.

Signatures of backends and the operators' pool are checked by AWS, so here they are only told apart by their
kind; the local AWS checks them in tests/prove/test_access_is_enforced.py.
"""

import contextlib
import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec
import pytest

from hostile.shop import Shop, opened
from infrastructure.api.routes import ROUTES, SERVER_ROUTES, Callers, Route
from integration.conftest import GUEST_KEY
from intruders.forger import AUDIENCE, Forger, provider

SIGNED = ("AWS4-HMAC-SHA256 Credential=", "of a backend")


class Request(NamedTuple):
    """One request; a header may come twice."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """The code of a problem; empty if the gateway itself answered, or all is well."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def rejected(self) -> list[str]:
        """Codes of rejected rows."""
        rows = self.body.get("rejected", []) if isinstance(self.body, dict) else []
        return [row["code"] for row in rows]


class Site(Protocol):
    """A guarded deployment."""

    forger: Forger
    guest_key: bytes

    def send(self, request: Request) -> Answer:
        """Send a request as it is."""
        ...

    def signed(self, request: Request) -> Answer:
        """Send it as a backend of the account does."""
        ...


@dataclass
class InProcess:
    """The gateway's part: a route, its guard, the event of payload 2.0."""

    shop: Shop
    forger: Forger
    guest_key: bytes = GUEST_KEY
    remembered: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def send(self, request: Request) -> Answer:
        path, _, query = request.path.partition("?")
        found = _match(request.method, path)
        if found is None:
            return Answer(404, {"message": "Not Found"})
        route, values = found
        headers = _joined(request.headers)
        authorizer, refusal = self._guard(route, headers.get("authorization", ""))
        if refusal is not None:
            return refusal
        event = {
            "version": "2.0",
            "routeKey": f"{route.method} {route.path}",
            "rawPath": path,
            "headers": headers,
            "pathParameters": values or None,
            "queryStringParameters": dict(parse_qsl(query)) or None,
            "requestContext": {"authorizer": authorizer, "timeEpoch": int(time.time() * 1000)},
            "body": request.body.decode("utf-8", "surrogateescape"),
            "isBase64Encoded": False,
        }
        answer = self.shop.call(route.function, event)
        return Answer(answer["statusCode"], msgspec.json.decode(answer["body"]))

    def signed(self, request: Request) -> Answer:
        return self.send(request._replace(headers=(*request.headers, ("authorization", "".join(SIGNED)))))

    def _guard(self, route: Route, authorization: str) -> tuple[Any, Answer | None]:
        forbidden = Answer(403, {"message": "Forbidden"})
        if route.callers is Callers.BACKENDS:
            is_backend = authorization == "".join(SIGNED)
            return {"iam": {"userArn": "arn:backend"}}, None if is_backend else forbidden
        if not authorization:
            return None, Answer(401, {"message": "Unauthorized"})
        if route.callers is Callers.OPERATORS:
            return None, Answer(401, {"message": "Unauthorized"})
        if authorization not in self.remembered:
            request = {"version": "2.0", "type": "REQUEST", "identitySource": [authorization]}
            self.remembered[authorization] = self.shop.call("authorize", request)
        verdict = self.remembered[authorization]
        return {"lambda": verdict.get("context")}, None if verdict["isAuthorized"] else forbidden


def _joined(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    return joined


def _match(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    given = ("/" + path.lstrip("/")).split("/")
    for route in (*SERVER_ROUTES, *ROUTES):
        wanted = route.path.split("/")
        if route.method == method and len(wanted) == len(given):
            pairs = list(zip(wanted, given, strict=True))
            if all(part == value or (part.startswith("{") and value) for part, value in pairs):
                return route, {part[1:-1]: unquote(value) for part, value in pairs if part.startswith("{")}
    return None


@contextlib.contextmanager
def guarded() -> Iterator[InProcess]:
    """Deploy the platform on moto behind its guards."""
    with provider() as forger, opened() as shop, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISSUER", forger.issuer)
        patch.setenv("AUDIENCE", AUDIENCE)
        patch.setenv("KEYS_URL", f"{forger.issuer}/keys")
        with contextlib.redirect_stderr(io.StringIO()):
            yield InProcess(shop, forger)
