"""Which visitor an `identify` says turned out to be its user, and whether that is proven."""

from collections.abc import Callable
from typing import NoReturn

from personalization.errors import InvalidEvent, InvalidToken
from personalization.events import ClientEvent, EventType


def no_guest(token: str) -> NoReturn:  # noqa: ARG001
    """Know no guest: the token of none is good."""
    raise InvalidToken("unknown_key", "no guests are known here")


def visitor_of(event: ClientEvent, *, by_app: bool, guest_of: Callable[[str], str]) -> str | None:
    """Return the id of the visitor whom an event identifies; None if it names nobody.

    An app proves the visitor by the guest token that the visitor had; a backend may name anybody.

    Parameters
    ----------
    by_app
        Whether the event's user sent it, rather than a backend.
    guest_of
        Reads the id of a guest from a token, or raises `InvalidToken`.

    Raises
    ------
    InvalidEvent
        `unexpected_field`: not an `identify`.
        `invalid_visitor`: an app names a visitor without proof, the proof doesn't hold, two are named, or the
        user themselves is.
    """
    if event.visitor_id is event.visitor_token is None:
        return None
    if event.event_type is not EventType.IDENTIFY:
        raise InvalidEvent("unexpected_field", f"an event of type {event.event_type} names no visitor")
    if event.visitor_id is not None and (by_app or event.visitor_token is not None):
        raise InvalidEvent(
            "invalid_visitor", "a visitor is proven by `visitor_token`; a backend may name one by id"
        )
    visitor = event.visitor_id
    if event.visitor_token is not None:
        try:
            visitor = guest_of(event.visitor_token)
        except InvalidToken as error:
            raise InvalidEvent("invalid_visitor", f"`visitor_token` is not good: {error.code}") from None
    if visitor == event.user_id:
        raise InvalidEvent("invalid_visitor", "the visitor is the user")
    return visitor
