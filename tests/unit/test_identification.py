"""Which visitor an identify names, and by which right."""

import pytest

from factories import client_event
from personalization.errors import InvalidEvent, InvalidToken
from personalization.events import ClientEvent, decode_client_event
from personalization.identification import visitor_of

GUESTS = {"good": "guest-1", "own": "ann"}


def guest_of(token: str) -> str:
    if token not in GUESTS:
        raise InvalidToken("forged_token", "no")
    return GUESTS[token]


def identify(event_type: str = "identify", **fields: str) -> ClientEvent:
    import json

    return decode_client_event(json.dumps(client_event(event_type, user_id="ann", **fields)).encode())


def refusal(event: ClientEvent, *, by_app: bool) -> str:
    with pytest.raises(InvalidEvent) as caught:
        visitor_of(event, by_app=by_app, guest_of=guest_of)
    return caught.value.code


@pytest.mark.parametrize("by_app", [True, False])
def test_a_token_proves_the_visitor_whoever_brings_it(by_app: bool) -> None:
    assert visitor_of(identify(visitor_token="good"), by_app=by_app, guest_of=guest_of) == "guest-1"


def test_a_backend_may_name_the_visitor() -> None:
    assert visitor_of(identify(visitor_id="old-ann"), by_app=False, guest_of=guest_of) == "old-ann"


def test_an_identify_may_name_nobody() -> None:
    assert visitor_of(identify(), by_app=True, guest_of=guest_of) is None


def test_what_is_not_proven_names_nobody() -> None:
    assert refusal(identify(visitor_id="bob"), by_app=True) == "invalid_visitor"
    assert refusal(identify(visitor_token="forged"), by_app=True) == "invalid_visitor"
    assert refusal(identify(visitor_token="forged"), by_app=False) == "invalid_visitor"


def test_a_visitor_is_named_once_and_is_somebody_else() -> None:
    assert refusal(identify(visitor_id="bob", visitor_token="good"), by_app=False) == "invalid_visitor"
    assert refusal(identify(visitor_token="own"), by_app=True) == "invalid_visitor"
    assert refusal(identify(visitor_id="ann"), by_app=False) == "invalid_visitor"


def test_only_an_identify_names_a_visitor() -> None:
    assert refusal(identify("click", visitor_token="good"), by_app=True) == "unexpected_field"
