"""The write bookkeeping beside a profile: which events were applied, and how far the stream was read.

It makes the effect of an at-least-once stream exactly-once: a replayed batch lies before the `Mark`,
and an event a client sent twice is among the last `WINDOW` ids of its user. It is not part of the
profile: a rebuilt profile equals the live one, its bookkeeping need not.
"""

from hashlib import blake2b
from typing import ClassVar, Final

from msgspec import Struct

from personalization.errors import CorruptData

WINDOW: Final = 64
"""A client's retry is recognized while at most this many other events of the user came between."""
CREDITS: Final = 128
"""An item counts once for a list while at most this many others of the user did since: six slates of 20."""
_SEQUENCE_DIGITS: Final = 56
_EPOCH_DIGITS: Final = 12


class SeenIds:
    """The last `WINDOW` event ids of a user, as 8-byte hashes in order of arrival.

    >>> seen = SeenIds()
    >>> seen.add("e1"), seen.add("e1")
    (True, False)
    """

    __slots__ = ("_hashes",)
    window: ClassVar[int] = WINDOW
    digest_bytes: ClassVar[int] = 8

    def __init__(self, data: bytes = b"") -> None:
        size = self.digest_bytes
        self._hashes = {data[i : i + size]: None for i in range(0, len(data), size)}

    def add(self, event_id: str) -> bool:
        """Remember an id; return False if it is known already. Cost O(1)."""
        digest = blake2b(event_id.encode(), digest_size=self.digest_bytes).digest()
        if digest in self._hashes:
            return False
        self._hashes[digest] = None
        if len(self._hashes) > self.window:
            del self._hashes[next(iter(self._hashes))]
        return True

    def __bytes__(self) -> bytes:
        return b"".join(self._hashes)


class CreditedItems(SeenIds):
    """The last `CREDITS` (list, event type, item) of a user that counted, 3 bytes each.

    A new one is taken for a known one once in 130,000 times: 128 chances of 2^-24.
    """

    __slots__ = ()
    window = CREDITS
    digest_bytes = 3


class Mark(Struct, frozen=True, order=True):
    """How far the stream was read for a user: (stream epoch, zero-padded sequence number).

    The epoch is the stream's creation time, so a recreated stream starts above every old mark. The
    sequence number has up to 56 digits, more than a DynamoDB number holds: it is kept as text.
    """

    epoch: int = 0
    sequence_number: str = ""

    @classmethod
    def of(cls, epoch: int, sequence_number: str) -> "Mark":
        """Build the mark of one stream record."""
        return cls(epoch, sequence_number.zfill(_SEQUENCE_DIGITS))

    @classmethod
    def parse(cls, text: str | None) -> "Mark":
        """Read what `str` wrote; None is the mark before the first record.

        Raises
        ------
        CorruptData
            Not a mark.
        """
        if not text:
            return cls()
        epoch, _, sequence_number = text.partition("/")
        if not (epoch.isascii() and epoch.isdigit() and len(epoch) == _EPOCH_DIGITS):
            raise CorruptData(f"not a mark: {text[:80]!r}")
        return cls(int(epoch), sequence_number)

    def __str__(self) -> str:
        return f"{self.epoch:0{_EPOCH_DIGITS}d}/{self.sequence_number}"
