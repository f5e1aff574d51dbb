"""The table of attacks: a request each, where it stops, and what it is answered."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from intruders.forger import Forger, Json
from intruders.gateway import Answer, Request, Site

ANN, BOB = "ann", "bob"
GUEST, OTHER_GUEST = "guest-" + "0" * 32, "guest-" + "1" * 32
GATEWAY, AUTHORIZER, HANDLER = "gateway", "authorizer", "handler"
ANOTHER_KEY: Final = b"the-key-of-another-environment-of-sixty-four-characters-in-length"
DAY: Final = 86_400


@dataclass(frozen=True)
class Attack:
    """One try.

    Attributes
    ----------
    stops_at
        `gateway` (route, signature, a missing token), `authorizer` (a token that is not good) or `handler`
        (it is good, but for somebody else).
    status, codes
        What is answered, with the code of the problem or those of the rejected rows.
    or_no_route
        A gateway that decodes the path before it looks for a route finds none: 404.
    """

    name: str
    attempt: Callable[[Site], Answer]
    stops_at: str = AUTHORIZER
    status: int = 403
    codes: tuple[str, ...] = ()
    or_no_route: bool = False

    def strike(self, site: Site) -> str:
        """Try, hold the answer to what is expected, and return it as a line."""
        answer = self.attempt(site)
        codes = (answer.code,) if answer.code else tuple(sorted(set(answer.rejected)))
        found = f"{answer.status} {', '.join(codes)}".strip()
        if self.or_no_route and answer.status == 404:
            return found
        assert (answer.status, codes) == (self.status, self.codes), f"{self.name}: {found} {answer.body}"
        if answer.status == 202:
            assert answer.body["accepted"] == 0, f"{self.name}: something of it was taken in"
        return found


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {token}"),)


def list_of(user: str) -> str:
    return f"/v1/users/{user}/recommendations"


def event(user: str, event_type: str = "click", **fields: Any) -> Json:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    about = {} if event_type in ("identify", "item_upserted") else {"item_id": "sku-1"}
    made = {"event_id": f"attack-{time.time_ns()}", "event_type": event_type, "occurred_at": now, **about}
    return {**made, "user_id": user, **fields}


def read_with(token: Callable[[Forger], str]) -> Callable[[Site], Answer]:
    """Read Ann's list with a token."""
    return lambda site: site.send(Request("GET", list_of(ANN), bearer(token(site.forger))))


def read_as_guest(token: Callable[[Site], str]) -> Callable[[Site], Answer]:
    return lambda site: site.send(Request("GET", list_of(GUEST), bearer(token(site))))


def read_path(
    path: str, subject: str = ANN, headers: tuple[tuple[str, str], ...] = ()
) -> Callable[[Site], Answer]:
    """Read some path with an honest token, Ann's unless told otherwise."""
    return lambda site: site.send(Request("GET", path, (*bearer(site.forger.token(subject)), *headers)))


def sent_with(headers: Callable[[Forger], tuple[tuple[str, str], ...]]) -> Callable[[Site], Answer]:
    return lambda site: site.send(Request("GET", list_of(ANN), headers(site.forger)))


def posted(body: Callable[[Site], Any], subject: str = ANN) -> Callable[[Site], Answer]:
    """Send a body of events with an honest token."""

    def attempt(site: Site) -> Answer:
        content = body(site)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return site.send(Request("POST", "/v1/events", bearer(site.forger.token(subject)), raw))

    return attempt


def called(method: str, path: str, subject: str | None = ANN, body: Any = None) -> Callable[[Site], Answer]:
    def attempt(site: Site) -> Answer:
        headers = bearer(site.forger.token(subject)) if subject else ()
        return site.send(Request(method, path, headers, json.dumps(body).encode() if body else b""))

    return attempt
