"""Visitors who are not signed in: a random id, and the token by which it is proven.

A token is a JWT that the site's server asks for and hands to the browser. It is signed by a key that only
Attune knows (HS256), and says by its header's type, its issuer and the form of its subject what it is, so
that neither another token can pass for it nor it for another (RFC 8725, sections 3.11 and 3.12).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple

import jwt
import msgspec
from msgspec import Meta, Struct

from personalization.errors import InvalidToken

GUEST_LIFETIME: Final = timedelta(days=7)
PREFIX: Final = "guest-"
"""Of every guest's id, and of no user's that an identity provider vouches for."""
ISSUER: Final = "attune/guests"
AUDIENCE: Final = "attune"
ALGORITHM: Final = "HS256"
_TYPE: Final = "attune-guest+jwt"

Seconds = Annotated[float, Meta(ge=0, le=2**40)]
"""A time in a token, since 1970 (NumericDate of RFC 7519); not infinite."""
GuestId = Annotated[str, Meta(pattern=r"^guest-[0-9a-f]{32}\Z")]


class GuestToken(NamedTuple):
    """What the site's server gets for a visitor."""

    user_id: str
    token: str
    expires_at: datetime


class _Claims(Struct, frozen=True):
    sub: GuestId
    iat: Seconds
    exp: Seconds


def is_guest(user_id: str) -> bool:
    """Whether an id has the form that only guests' ids have.

    >>> is_guest("guest-0123456789abcdef0123456789abcdef"), is_guest("ann")
    (True, False)
    """
    return user_id.startswith(PREFIX)


def new_guest(random_id: str) -> str:
    """Return the id of a new guest.

    Parameters
    ----------
    random_id
        32 hexadecimal digits that nobody can guess.
    """
    return f"{PREFIX}{random_id}"


def issue_guest_token(key: bytes, user_id: str, *, now: datetime) -> GuestToken:
    """Sign a token for a guest, new or known.

    Raises
    ------
    InvalidToken
        `not_a_guest`: the id is not one of a guest.
    """
    try:
        msgspec.convert(user_id, GuestId)
    except msgspec.ValidationError:
        raise InvalidToken(
            "not_a_guest", "tokens are issued to guests only, by an id they were given"
        ) from None
    ends = now + GUEST_LIFETIME
    claims: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": user_id}
    claims |= {"iat": int(now.timestamp()), "exp": int(ends.timestamp())}
    token = jwt.encode(claims, key, algorithm=ALGORITHM, headers={"typ": _TYPE, "kid": _kid(key)})
    return GuestToken(user_id, token, ends.replace(microsecond=0))


def verify_guest_token(keys: Iterable[bytes], token: str, *, now: datetime) -> GuestToken:
    """Check a guest's token and say whose it is and until when. Cost: one HMAC.

    Raises
    ------
    InvalidToken
        `malformed_token`, `unknown_key`, `forged_token`, `wrong_kind` (of another issuer, audience or type)
        or `expired_token`.
    """
    header = header_of(token)
    if header.get("typ") != _TYPE:
        raise InvalidToken("wrong_kind", "the token is not a guest's")
    key = {_kid(key): key for key in keys}.get(str(header.get("kid")))
    if key is None:
        raise InvalidToken("unknown_key", "the token is signed by a key that is not in use")
    claims = claims_of(token, key, [ALGORITHM], _Claims, issuer=ISSUER, audience=AUDIENCE)
    if not claims.iat <= now.timestamp() < claims.exp <= claims.iat + GUEST_LIFETIME.total_seconds():
        raise InvalidToken("expired_token", "the guest's token is over")
    return GuestToken(claims.sub, token, datetime.fromtimestamp(claims.exp, now.tzinfo))


def header_of(token: str) -> dict[str, Any]:
    """Read a token's header, which nothing vouches for yet."""
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise InvalidToken("malformed_token", "the token is no signed JWT") from None


def claims_of[T: Struct](
    token: str, key: Any, algorithms: list[str], kind: type[T], *, issuer: str, audience: str | None
) -> T:
    """Verify a token's signature and for whom it is, and return its claims.

    Their times are the caller's to check, for PyJWT would ask the clock; without an `audience`, so is that.

    Raises
    ------
    InvalidToken
        `forged_token`, `wrong_kind` or `malformed_token`.
    """
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    options |= {"require": ["iss", "sub", "iat", "exp"], "enforce_minimum_key_length": True}
    options |= {"verify_aud": audience is not None}
    try:
        claims = jwt.decode(
            token, key, algorithms=algorithms, issuer=issuer, audience=audience, options=options
        )
        return msgspec.convert(claims, kind)
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        raise InvalidToken("forged_token", "the token has a wrong signature") from None
    except (jwt.InvalidIssuerError, jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
        raise InvalidToken("wrong_kind", "the token is of another issuer, or for somebody else") from None
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError, OverflowError, RecursionError):
        raise InvalidToken("malformed_token", "the token's claims can't be read") from None


def _kid(key: bytes) -> str:
    """Name a key by a digest of it: 64 random characters can't be found by it."""
    return sha256(b"kid:" + key).hexdigest()[:16]
