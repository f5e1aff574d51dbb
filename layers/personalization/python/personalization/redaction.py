"""Taking a person's lines out of stored objects: what is left stays byte for byte, in its order.

A line is a person's if it mentions their user key, wherever: as the user of an event, as whom another visitor
turned out to be, or within bytes that could not be read. 128 bits of a keyed digest are in no line by chance.
"""

import gzip
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Final

import msgspec
from msgspec import Struct

from personalization.errors import CorruptData
from personalization.events import EventType

_GZIP_LEVEL: Final = 6
_WORD: Final = EventType.CONSENT_CHANGED.value.encode()
_DAMAGE: Final = (OSError, EOFError, ValueError)


class _Event(Struct, frozen=True):
    event_type: str = ""
    received_at: datetime | None = None
    session_id: str | None = None


class _Line(Struct):
    """What tells the age of a line of the lake: an event's, an exposure's, or one of unreadable bytes."""

    arrived_at: datetime | None = None
    at: datetime | None = None
    event: _Event = _Event()
    session_id: str | None = None
    raw: bytes = b""


class _Quarantined(Struct):
    """What the quarantine keeps: a record of the stream, or a line of the exposures' log."""

    partition_key: str = ""
    arrived_at: datetime | None = None
    logged_at: datetime | None = None
    data: bytes = b""
    line: str = ""


class Redacted(Struct, frozen=True):
    """An object's new body, and whose lines are gone.

    Attributes
    ----------
    body
        None if nothing had to be taken out.
    removed
        Lines by user key.
    sessions
        Visits that these lines name, by user key.
    """

    body: bytes | None
    removed: Mapping[str, int]
    sessions: Mapping[str, frozenset[str]]


@cache
def _pattern(user_key: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![A-Za-z0-9_-])" + re.escape(user_key.encode()) + rb"(?![A-Za-z0-9_-])")


def mentions(text: bytes, user_key: str) -> bool:
    """Whether a text holds the key as a word of its own. Cost: linear, at the speed of a search of bytes."""
    return user_key.encode() in text and _pattern(user_key).search(text) is not None


def unpacked(body: bytes) -> bytes:
    """Return an object's text.

    Raises
    ------
    CorruptData
        It is not compressed as the lake's objects are.
    """
    try:
        return gzip.decompress(body)
    except _DAMAGE as error:
        raise CorruptData(str(error)) from None


def redact(body: bytes, erased: Mapping[str, int]) -> Redacted:
    """Take out of an object of events or exposures what people had received before their tombstones.

    Cost: unpacking, one search for each person, and packing if a line goes.

    Raises
    ------
    CorruptData
        The object is damaged.
    """
    text = unpacked(body)
    removed: dict[str, int] = {}
    sessions: dict[str, set[str]] = {}
    hidden = b'"raw":' in text
    wanted = {user: at for user, at in erased.items() if hidden or mentions(text, user)}
    if not wanted:
        return Redacted(None, {}, {})
    kept = []
    for line in text.splitlines(keepends=True):
        owner = _owner(line, wanted)
        if owner is None:
            kept.append(line)
            continue
        user, session = owner
        removed[user] = removed.get(user, 0) + 1
        sessions.setdefault(user, set()).update(filter(None, (session,)))
    if not removed:
        return Redacted(None, {}, {})
    packed = gzip.compress(b"".join(kept), _GZIP_LEVEL, mtime=0)
    return Redacted(packed, removed, {user: frozenset(found) for user, found in sessions.items()})


def lines_of(body: bytes, user_key: str) -> list[bytes]:
    """Return the lines of an object that mention a person.

    Raises
    ------
    CorruptData
        The object is damaged.
    """
    text = unpacked(body)
    if not (b'"raw":' in text or mentions(text, user_key)):
        return []
    return [line for line in text.splitlines() if mentions(line, user_key) or mentions(_raw(line), user_key)]


def is_theirs(body: bytes, user_key: str, erased_at: int) -> bool:
    """Whether an object of the quarantine is a person's, of before the tombstone; so is one of no date."""
    try:
        kept = msgspec.json.decode(body, type=_Quarantined)
    except msgspec.DecodeError:
        return mentions(body, user_key)
    theirs = kept.partition_key == user_key or any(mentions(text, user_key) for text in (body, kept.data))
    at = kept.arrived_at or kept.logged_at
    return theirs and (at is None or at.timestamp() < erased_at)


def _owner(line: bytes, erased: Mapping[str, int]) -> tuple[str, str | None] | None:
    """Return whose line it is, of those who are to be forgotten, and of which visit; None if it stays."""
    theirs = [user for user in erased if mentions(line, user)]
    if not theirs and b'"raw":' in line:
        raw = _raw(line)
        theirs = [user for user in erased if mentions(raw, user)]
    if not theirs or _is_word(line):
        return None
    at, session = _facts(line)
    user = theirs[0]
    return (user, session) if at is None or at < max(erased[one] for one in theirs) else None


def _is_word(line: bytes) -> bool:
    """Whether a line is what somebody said about consent: it has to be known to be honoured, and stays."""
    if _WORD not in line:
        return False
    try:
        return msgspec.json.decode(line, type=_Line).event.event_type == EventType.CONSENT_CHANGED
    except msgspec.DecodeError:
        return False


def _facts(line: bytes) -> tuple[float | None, str | None]:
    """Return when a line was received, None if it does not tell, and its visit."""
    try:
        read = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError:
        return _arrival(line), None
    at = read.event.received_at or read.at or read.arrived_at
    return at.timestamp() if at else None, read.event.session_id or read.session_id


class _Arrived(Struct):
    arrived_at: datetime


def _arrival(line: bytes) -> float | None:
    """When a record arrived whose event is of no shape that is known."""
    try:
        return msgspec.json.decode(line, type=_Arrived).arrived_at.timestamp()
    except msgspec.DecodeError:
        return None


def _raw(line: bytes) -> bytes:
    try:
        return msgspec.json.decode(line, type=_Line).raw
    except msgspec.DecodeError:
        return b""


Search = Callable[[bytes], set[str]]


def searching(user_keys: tuple[str, ...]) -> Search:
    """Return a search for mentions in the pieces of a stream: a key that is cut by a border is found as well.

    >>> find = searching(("ann",))
    >>> find(b"of a"), find(b"nn ")
    (set(), {'ann'})
    """
    longest = max((len(user.encode()) for user in user_keys), default=0)
    tail = b""

    def find(piece: bytes) -> set[str]:
        nonlocal tail
        text = tail + piece
        # Binary files put keys beside anything: there a key is no word of its own.
        found = {user for user in user_keys if user.encode() in text}
        tail = text[-(longest - 1) :] if longest > 1 else b""
        return found

    return find
