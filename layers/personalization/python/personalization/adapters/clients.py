"""boto3 clients that give up in time, each as patient as who waits for it."""

from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take.

    botocore's standard retries: jittered, bounded, and out of a quota of the client's that faults use up, so
    that an outage is not met with a multiple of the calls. (Its adaptive mode waits without bound.)
    """

    connect_seconds: float
    read_seconds: float
    attempts: int

    @property
    def seconds(self) -> float:
        """The longest that a call lasts, pauses and all, if its service has one address and drips no bytes.

        >>> Patience(connect_seconds=1, read_seconds=3, attempts=2).seconds
        9.0
        """
        pauses = 2.0 ** (self.attempts - 1) - 1
        return self.attempts * (self.connect_seconds + self.read_seconds) + pauses


INGESTING: Final = Patience(0.5, 2.0, attempts=1)
"""A client waits that must know what was taken; the stream's adapter tries again."""
ON_REQUEST: Final = Patience(0.5, 2.0, attempts=2)
"""An operator waits."""
BEHIND_A_QUEUE: Final = Patience(1.0, 3.0, attempts=2)
"""Nobody waits, and what fails comes again."""


def in_an_answer(seconds: float) -> Patience:
    """Return the patience of a call while a user waits for an answer that may take so long.

    A read that hangs leaves time for another, and both for what stands in. There is one attempt: a
    `deadlines.Guard` tries again, sooner than botocore would, and bounds what sockets don't.

    >>> in_an_answer(0.8)
    Patience(connect_seconds=0.2, read_seconds=0.3, attempts=1)
    """
    return Patience(round(0.25 * seconds, 3), round(0.375 * seconds, 3), attempts=1)


def impatient(service: str, patience: Patience = BEHIND_A_QUEUE) -> Any:
    """Make a client by the service's name, with short timeouts and jittered, bounded retries."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        config=Config(
            connect_timeout=patience.connect_seconds,
            read_timeout=patience.read_seconds,
            retries={"mode": "standard", "total_max_attempts": patience.attempts},
        ),
    )
