"""A client of Attune's HTTP API, as a shop would write it, that keeps the books of what it sent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final
from urllib.parse import quote

import urllib3

Json = dict[str, Any]
_TIMEOUT_SECONDS: Final = 60.0


class ApiError(RuntimeError):
    """The API answered something else than success."""


@dataclass
class ApiClient:
    """Calls the API; safe to use from several threads.

    Attributes
    ----------
    books
        Events and items sent, accepted and rejected by this client.
    reasons
        Rejected events by code.
    """

    url: str
    books: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=8))
    _lock: Lock = field(default_factory=Lock)

    def send(self, events: Sequence[Json]) -> None:
        """Send a batch of events."""
        self._send("POST", "/v1/events", events)

    def put_items(self, items: Sequence[Json]) -> None:
        """Write items to the catalogue; on their way through the stream they count as events."""
        self._send("PUT", "/v1/items", items)

    def recommendations(self, user_id: str, **parameters: str | int) -> Json:
        """Ask for a user's recommendations."""
        fields = {name: str(value) for name, value in parameters.items()}
        return self._call("GET", f"/v1/users/{quote(user_id, safe='')}/recommendations", fields=fields)

    def trending(self, limit: int) -> Json:
        """Ask for what is trending."""
        return self._call("GET", "/v1/trending", fields={"limit": str(limit)})

    def forget(self, user_id: str) -> Json:
        """Have a user forgotten; returns the first receipt."""
        return self._call("DELETE", f"/v1/users/{quote(user_id, safe='')}")

    def erasure(self, erasure_id: str) -> Json:
        """Ask for the receipt of an erasure."""
        return self._call("GET", f"/v1/erasures/{erasure_id}")

    def experiment(self, name: str) -> Json:
        """Ask for the results of an experiment."""
        return self._call("GET", f"/v1/experiments/{quote(name, safe='')}")

    def alarms(self) -> list[Json]:
        """Ask for the alarms that the operators' console shows, ringing ones first."""
        rows: list[Json] = self._call("GET", "/v1/admin/alarms")["alarms"]
        return rows

    def _send(self, method: str, path: str, rows: Sequence[Json]) -> None:
        answer = self._call(method, path, json=list(rows))
        with self._lock:
            self.books["sent"] += len(rows)
            self.books["accepted"] += answer["accepted"]
            self.books["rejected"] += len(answer["rejected"])
            self.reasons.update(row["code"] for row in answer["rejected"])

    def _call(self, method: str, path: str, **arguments: Any) -> Json:
        response = self._http.request(
            method, self.url + path, timeout=_TIMEOUT_SECONDS, retries=False, **arguments
        )
        if response.status not in (200, 202):
            raise ApiError(f"{method} {path} answered {response.status}: {response.data[:500]!r}")
        answer: Json = response.json()
        return answer
