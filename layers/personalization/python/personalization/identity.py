"""Pseudonyms: the stream, the table and the lake know a user only by a keyed digest of their id."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

_KEY_BYTES: Final = 16


def user_key(secret: bytes, user_id: str) -> str:
    """Return HMAC-SHA256(secret, user id), cut to 128 bits, as 22 URL-safe characters.

    >>> user_key(b"secret", "ann")
    'qtTmGZt33jMF5WiZlIaovg'
    """
    digest = hmac.digest(secret, user_id.encode(), sha256)[:_KEY_BYTES]
    return urlsafe_b64encode(digest).decode().rstrip("=")
