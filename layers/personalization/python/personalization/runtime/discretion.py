"""What a log may tell: of a fault its kinds and places, of a caller nothing that they sent.

The text of an error may quote what it was given: a client's body, a key, a token. So of errors that are not
Attune's own, whose texts are chosen, only the class and the lines of code are written.
"""

import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from personalization.errors import Forbidden, InvalidInput

HIDDEN: Final = "[redacted]"
_OWN: Final = frozenset({"functions", "personalization", "training"})
_REFUSALS: Final = frozenset({"AccessDenied", "AccessDeniedException"})
"""Their text names a role, an action and a resource: what an operator has to know, and nobody's data."""
_TELLING: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]+)?"
    r"|\b(Bearer|Basic) +[\w.~+/=-]{8,}"
    r"|AWS4-HMAC-SHA256[^\"]*"
    r"|\bX-Amz-(Security-Token|Signature|Credential)=[^&\s\"]+"
    r"|(?<![\d.])(\d{1,3}\.){3}\d{1,3}(?![\d.])"
    r"|(?<![\w:])([\da-f]{1,4}:){7}[\da-f]{1,4}(?![\w:])"
    r"|(?<![\w:])([\da-f]{1,4}:){1,6}(:[\da-f]{1,4}){1,6}(?![\w:])"
    r"|[\w-]{129,}",
    re.IGNORECASE | re.ASCII,
)
"""Tokens of the OpenID kind, headers that authorize, presigned addresses, addresses of the Internet, and
whatever is longer than an id may be, as a `recommendation_id` is."""
_CHATTY: Final = ("boto3", "botocore", "s3transfer", "urllib3")


class InvocationFailedError(RuntimeError):
    """Says of a fault what may be told."""


class DiscreetFormatter(LambdaPowertoolsFormatter):
    """Powertools' lines, in which faults are told without what they quote."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"serialize_stacktrace": False})

    def formatException(  # noqa: N802
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Show an error and what caused it, the first cause first, as Python does."""
        return "\n".join(reversed(list(_shown(ei[1]))))

    def serialize(self, log: Any) -> str:
        """Hide what looks like a token or an address, wherever it came from; some 10 µs a line."""
        return hidden(super().serialize(log))


def hush_libraries() -> None:
    """Keep AWS's libraries from logging requests and answers, whatever level Lambda is told to log at."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def hidden(text: str) -> str:
    """Replace what looks like a token or an address.

    >>> hidden("called from 203.0.113.7 with Bearer abcdefgh.ijkl")
    'called from [redacted] with [redacted]'
    """
    return _TELLING.sub(HIDDEN, text)


def told(error: BaseException) -> str:
    """Say what an error is without what it may quote.

    >>> told(ValueError("ann@example.org is no number")), told(InvalidInput("too_large", "the body of ann"))
    ('ValueError', 'InvalidInput: too_large')
    """
    kind = type(error).__name__
    if isinstance(error, InvalidInput | Forbidden):
        return f"{kind}: {error.code}"
    if type(error).__module__.partition(".")[0] in _OWN:
        return f"{kind}: {error}"
    answer = getattr(error, "response", None)
    return f"{kind}: {_answered(error, answer)}" if isinstance(answer, Mapping) else kind


def discreet(error: Exception) -> Exception:
    """Return what may be raised in place of an error: itself, if its text is Attune's own."""
    own = type(error).__module__.partition(".")[0] in _OWN and not isinstance(error, InvalidInput)
    return error if own else InvocationFailedError(told(error))


def _answered(error: BaseException, answer: Mapping[str, Any]) -> str:
    """What AWS said: a code, which call, and the id under which AWS' support finds it."""
    code = str(answer.get("Error", {}).get("Code", ""))
    if code in _REFUSALS:
        return str(error)
    request = answer.get("ResponseMetadata", {}).get("RequestId", "unknown")
    return f"{code} of {getattr(error, 'operation_name', 'a call')}, request {request}"


def _shown(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        lines = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        yield f"{lines}\n{told(error)}".lstrip()
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
