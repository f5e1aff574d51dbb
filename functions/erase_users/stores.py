"""The places where something of a person may rest, and what is done in each: one object at a time."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from personalization.adapters.lake import Found, S3Lake
from personalization.erasure import Pending
from personalization.errors import Conflict, CorruptData, Unavailable
from personalization.keys import MANIFEST
from personalization.redaction import is_theirs, redact, searching
from personalization.runtime.observability import logger
from training.experimentation.state_file import decode_state, encode_state
from training.experimentation.totals_state import hash_of

RUN_LASTS: Final = timedelta(hours=12)
"""A night of training has ended by then: what it left is needed by nobody."""
_ATTEMPTS: Final = 5
_PIECE: Final = 1 << 20
_GZIP_WINDOW: Final = 31


class Change(NamedTuple):
    """What was done to one object for one person."""

    removed: int = 0
    left: int = 0
    sessions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Store(ABC):
    """A prefix of a bucket.

    Attributes
    ----------
    only_new
        Looked through again, only what was written since the request can hold anything.
    """

    name: str
    prefix: str
    bucket: S3Lake
    only_new: bool = True

    def found(self, *, after: str) -> Iterator[Found]:
        """List objects beyond a key, in order of key."""
        return self.bucket.found(self.prefix, after=after)

    @abstractmethod
    def treat(self, found: Found, people: Sequence[Pending]) -> Mapping[str, Change]:
        """Take people out of an object; return what was done, by user key."""


class Lines(Store):
    """Compressed JSON lines: rewritten without a person's. An object that holds no others stays, empty.

    Whoever wrote it anew in between, a retried batch or another worker, is read again.
    """

    def treat(self, found: Found, people: Sequence[Pending]) -> Mapping[str, Change]:
        """Cost: a get, and a put if there is something to take out."""
        erased = _latest(people)
        for _ in range(_ATTEMPTS):
            read = self.bucket.get(found.key)
            if read is None:
                return {}
            body, tag = read
            try:
                redacted = redact(body, erased)
            except CorruptData as error:
                logger.warning("object can't be read", key=found.key, reason=str(error))
                return {}
            if redacted.body is None:
                return {}
            try:
                self.bucket.save(found.key, redacted.body, instead_of=tag)
            except Conflict:
                continue
            return {
                user: Change(removed=count, sessions=redacted.sessions[user])
                for user, count in redacted.removed.items()
            }
        raise Unavailable(f"{found.key} is being written to all the time")


class Records(Store):
    """The quarantine, an object a record: a person's are deleted."""

    def treat(self, found: Found, people: Sequence[Pending]) -> Mapping[str, Change]:
        """Cost: a get, and a delete if it is theirs."""
        read = self.bucket.get(found.key)
        theirs = [user for user, at in _latest(people).items() if read and is_theirs(read[0], user, at)]
        if theirs:
            self.bucket.delete(found.key)
        return dict.fromkeys(theirs, Change(removed=1))


class States(Store):
    """What the analysis of experiments keeps: hashes of users, or of their visits, whose rows are removed."""

    def treat(self, found: Found, people: Sequence[Pending]) -> Mapping[str, Change]:
        """Cost: a get, and a put if there is something to remove; memory of the state."""
        for _ in range(_ATTEMPTS):
            read = self.bucket.get(found.key)
            if read is None:
                return {}
            try:
                state = decode_state(read[0])
            except CorruptData as error:
                logger.warning("object can't be read", key=found.key, reason=str(error))
                return {}
            removed = {
                one.user_key: state.forget(map(hash_of, (one.user_key, *one.sessions))) for one in people
            }
            if not any(removed.values()):
                return {}
            try:
                self.bucket.save(found.key, encode_state(state), instead_of=read[1])
            except Conflict:
                continue
            return {user: Change(removed=count) for user, count in removed.items() if count}
        raise Unavailable(f"{found.key} is being written to all the time")


class Snapshots(Store):
    """What a night leaves for the next: one that knows a person goes whole.

    It is of no more use: the days that it read are others now, and no night would begin with it.
    """

    def treat(self, found: Found, people: Sequence[Pending]) -> Mapping[str, Change]:
        """Cost: a get an object, and a delete for each of a snapshot that goes."""
        mentioned = _mentioned(self.bucket, found.key, people)
        if mentioned:
            folder = found.key.rpartition("/")[0] + "/"
            for one in sorted(self.bucket.found(folder), key=lambda one: not one.key.endswith(MANIFEST)):
                self.bucket.delete(one.key)
        return dict.fromkeys(mentioned, Change(removed=1))


@dataclass(frozen=True, kw_only=True)
class Runs(Store):
    """What a night worked on: objects that mention a person are deleted, once no night needs them."""

    clock: Callable[[], datetime]

    def treat(self, found: Found, people: Sequence[Pending]) -> Mapping[str, Change]:
        """Cost: a get an object, and a delete for one that goes. Memory: a piece of it."""
        mentioned = _mentioned(self.bucket, found.key, people)
        if mentioned and self.clock() - found.modified < RUN_LASTS:
            return dict.fromkeys(mentioned, Change(left=1))
        if mentioned:
            self.bucket.delete(found.key)
        return dict.fromkeys(mentioned, Change(removed=1))


def _latest(people: Sequence[Pending]) -> dict[str, int]:
    """Return each person's latest tombstone."""
    return {one.user_key: one.requested_at for one in sorted(people, key=lambda one: one.requested_at)}


def _mentioned(bucket: S3Lake, key: str, people: Sequence[Pending]) -> set[str]:
    """Tell who is mentioned in an object, packed or not."""
    find = searching(tuple(_latest(people)))
    unpack = zlib.decompressobj(_GZIP_WINDOW).decompress if key.endswith(".gz") else bytes
    found: set[str] = set()
    try:
        for piece in bucket.pieces(key, _PIECE):
            found |= find(unpack(piece))
    except zlib.error as error:
        logger.warning("object can't be read", key=key, reason=str(error))
    return found
