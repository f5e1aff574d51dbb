"""The edge where time and randomness come from; everything inside takes them as arguments."""

from datetime import UTC, datetime
from uuid import uuid4


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a random id of 32 hexadecimal characters."""
    return uuid4().hex
