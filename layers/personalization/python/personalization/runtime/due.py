"""When an answer is due: the function's own budget, or sooner if Lambda would end it before."""

from typing import Any, Final

from personalization.deadlines import Deadline

RESERVE_SECONDS: Final = 0.1
"""Of the time that Lambda leaves, to say what there is."""


def due_in(seconds: float, context: Any, *, reserve: float = RESERVE_SECONDS) -> Deadline:
    """Return the deadline of this invocation: `seconds` from now, at most until `reserve` before its timeout.

    Without a context of Lambda's, as in a test, the seconds alone count.
    """
    left = getattr(context, "get_remaining_time_in_millis", None)
    return Deadline.after(seconds if left is None else min(seconds, left() / 1_000 - reserve))
