"""The public keys of an identity provider, fetched from where it publishes them and kept."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any, Final
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from personalization.access_tokens import signing_keys
from personalization.errors import CorruptData, Unavailable

REFETCH: Final = timedelta(minutes=10)
"""A key that the provider withdraws is refused at most so much later."""
PAUSE: Final = timedelta(seconds=30)
"""Between two fetches, whatever key ids are made up."""
TIMEOUT_SECONDS: Final = 2.0
MAX_BYTES: Final = 256 * 1024


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> Request | None:
        return None


def fetch(url: str) -> bytes:
    """Get a set of keys; follows no redirect.

    Raises
    ------
    Unavailable
        No answer in time, or another one than a set of keys is.
    """
    try:
        with build_opener(_NoRedirects).open(url, timeout=TIMEOUT_SECONDS) as answer:
            body: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise Unavailable("the identity provider's keys can't be fetched") from error
    if len(body) > MAX_BYTES:
        raise Unavailable("the identity provider's keys are larger than any set of keys")
    return body


class PublishedKeys:
    """The keys of a provider; while it can't be reached, those fetched last stay in force.

    Cost: one fetch in ten minutes and container, and one more for an unknown key id, at most every 30 s.
    """

    def __init__(
        self, url: str, clock: Callable[[], datetime], fetched: Callable[[str], bytes] = fetch
    ) -> None:
        self._url = url
        self._clock = clock
        self._fetch = fetched
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key of this id, if the provider publishes it.

        Raises
        ------
        Unavailable
            No keys could be fetched yet.
        """
        now = self._clock()
        old = self._fetched_at is None or now - self._fetched_at >= REFETCH
        rested = self._tried_at is None or now - self._tried_at >= PAUSE
        if (old or key_id not in self._keys) and rested:
            self._tried_at = now
            self._refresh(now)
        if self._fetched_at is None:
            raise Unavailable("the identity provider's keys could not be fetched yet")
        return self._keys.get(key_id)

    def _refresh(self, now: datetime) -> None:
        try:
            self._keys, self._fetched_at = signing_keys(self._fetch(self._url)), now
        except (Unavailable, CorruptData):
            return
