"""Who calls from a browser or an app: a guest by a token of ours, a user by one of their provider's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import jwt

from personalization.access_tokens import Caller, Provider, verify_access_token
from personalization.errors import InvalidToken
from personalization.guests import ALGORITHM, header_of, verify_guest_token

_BEARER: Final = re.compile(r"bearer ([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Admission:
    """Reads the header `Authorization`.

    Parameters
    ----------
    guest_keys
        Keys that guests' tokens are signed by.
    provider, key_of
        The identity provider and its published keys by id; None: only guests are let in.
    """

    guest_keys: Callable[[], tuple[bytes, ...]]
    provider: Provider | None
    key_of: Callable[[str], jwt.PyJWK | None]

    def admit(self, authorization: str, *, now: datetime) -> Caller:
        """Say who is calling. Which keys may vouch is told by the algorithm, and those check all the rest.

        Raises
        ------
        InvalidToken
            The header is no single bearer token (`malformed_token`), or what `verify_guest_token` and
            `verify_access_token` raise.
        Unavailable
            Neither the secret nor the provider's keys could be read yet.
        """
        found = _BEARER.fullmatch(authorization)
        if found is None:
            raise InvalidToken("malformed_token", "the header holds no single bearer token")
        token = found[1]
        if header_of(token).get("alg") == ALGORITHM:
            guest = verify_guest_token(self.guest_keys(), token, now=now)
            return Caller(guest.user_id, guest.expires_at)
        if self.provider is None:
            raise InvalidToken("unknown_key", "no identity provider is connected")
        return verify_access_token(token, provider=self.provider, key_of=self.key_of, now=now)
