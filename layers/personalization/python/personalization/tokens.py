"""The `recommendation_id`: a signed receipt that ties an impression, click or purchase to the list shown.

It names the list, its user (as a digest), surface, experiment assignments, model version and the items
shown (as hashes), so attribution needs no look-up. About 120 characters plus 6 an item.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from personalization.errors import InvalidToken
from personalization.experiments import Assignment
from personalization.profiles import at_seconds, item_hash

TOKEN_LIFETIME: Final = timedelta(days=7)
TAIL: Final = 20
"""Characters at a token's end by which it is told from all others: 120 bits of its signature."""
_SIGNATURE_BYTES: Final = 16
_DIGEST_BYTES: Final = 8
_FORMAT_VERSION: Final = 1

type Keys = bytes | tuple[bytes, ...]
"""One key, or those that are accepted while one takes over from another."""


class Receipt(Struct, frozen=True, array_like=True):
    """What a `recommendation_id` says.

    Attributes
    ----------
    user_digest
        First 8 bytes of SHA-256 of the user key.
    offset
        Position of the first item shown within the list.
    issued_at
        Seconds since 1970.
    item_hashes
        CRC-32 of each item shown, in order.
    """

    format_version: int
    list_id: str
    user_digest: bytes
    surface: str
    assignments: tuple[Assignment, ...]
    model_version: str
    offset: int
    issued_at: int
    item_hashes: tuple[int, ...]

    def covers(self, item_id: str) -> bool:
        """Whether the item was among those shown."""
        return item_hash(item_id) in self.item_hashes

    def place_of(self, item_id: str) -> int | None:
        """Return the item's place in the whole list, from 0; None if it was not among those shown."""
        return self.offset + self.item_hashes.index(item_hash(item_id)) if self.covers(item_id) else None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Receipt)


def issue(
    secret: bytes,
    *,
    list_id: str,
    user_key: str,
    surface: str,
    assignments: tuple[Assignment, ...],
    model_version: str,
    item_ids: list[str],
    issued_at: datetime,
    offset: int = 0,
) -> str:
    """Sign a receipt for the items of one response."""
    receipt = Receipt(
        _FORMAT_VERSION,
        list_id,
        _digest(user_key),
        surface,
        assignments,
        model_version,
        offset,
        at_seconds(issued_at),
        tuple(item_hash(item_id) for item_id in item_ids),
    )
    body = _encoder.encode(receipt)
    return _to_text(body + _sign(secret, body))


def verify(secret: Keys, token: str, *, user_key: str, now: datetime) -> Receipt:
    """Check a token's signature, user and age, and return its receipt. Cost: one HMAC a key.

    Raises
    ------
    InvalidToken
        `malformed_token`, `forged_token`, `expired_token` or `borrowed_token` (another user's).
    """
    body, signature = _opened(token)
    keys = (secret,) if isinstance(secret, bytes) else secret
    if not any(hmac.compare_digest(signature, _sign(key, body)) for key in keys):
        raise InvalidToken("forged_token", "recommendation_id has a wrong signature")
    receipt = _decoded(body)
    if at_seconds(now) - receipt.issued_at > TOKEN_LIFETIME.total_seconds():
        raise InvalidToken("expired_token", "recommendation_id is older than 7 days")
    _check_user(receipt, user_key)
    return receipt


def read(token: str, *, user_key: str) -> Receipt:
    """Read a token's receipt without its signature: for figures that nothing is decided by.

    Raises
    ------
    InvalidToken
        `malformed_token` or `borrowed_token`.
    """
    receipt = _decoded(_opened(token)[0])
    _check_user(receipt, user_key)
    return receipt


def tail(token: str) -> str:
    """Return what tells a token apart: it can't be guessed, and no token can be made of it."""
    return token[-TAIL:]


def _opened(token: str) -> tuple[bytes, bytes]:
    try:
        data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise InvalidToken("malformed_token", "recommendation_id is not base64") from None
    return data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]


def _decoded(body: bytes) -> Receipt:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidToken("malformed_token", "recommendation_id is of an unknown format") from None


def _check_user(receipt: Receipt, user_key: str) -> None:
    if receipt.user_digest != _digest(user_key):
        raise InvalidToken("borrowed_token", "recommendation_id was issued to another user")


def _digest(user_key: str) -> bytes:
    return sha256(user_key.encode()).digest()[:_DIGEST_BYTES]


def _sign(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, sha256)[:_SIGNATURE_BYTES]


def _to_text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
