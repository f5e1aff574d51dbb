"""Attune's errors.

AttuneError
├── InvalidInput            the caller's fault; carries a stable code        -> 4xx, or quarantine
│   ├── InvalidEvent
│   └── InvalidToken
├── Forbidden               the caller may not do this; carries a stable code -> 403
├── CorruptData             stored data that can't be read                   -> set aside, or do without
├── Conflict                somebody else wrote first                        -> read again, retry
├── Unavailable             a dependency is throttled or down                -> retry, or fall back
└── ModelError              a model folder is missing, partial or of another version
"""


class AttuneError(Exception):
    """Base of everything Attune raises on purpose."""


class InvalidInput(AttuneError):
    """Input that no retry can mend.

    Parameters
    ----------
    code
        Stable, machine-readable, snake_case.
    reason
        One sentence for a person, safe to send back.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class InvalidEvent(InvalidInput):
    """An event that breaks its contract."""


class InvalidToken(InvalidInput):
    """A `recommendation_id` that is malformed, forged, expired or somebody else's."""


class Forbidden(AttuneError):
    """A caller who is known and may not do this.

    Parameters
    ----------
    code
        Stable, machine-readable, snake_case.
    reason
        One sentence for a person, safe to send back.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class CorruptData(AttuneError):
    """What Attune itself stored can't be read: damaged, or written by a later version."""


class Conflict(AttuneError):
    """A conditional write found another version than the one that was read."""


class Unavailable(AttuneError):
    """A dependency can't serve now; trying again later may work."""


class ModelError(AttuneError):
    """A model can't be read: files missing, or written by an incompatible version."""
