"""What the guards must let through, beside all that they stop."""

import json
from typing import Final

from intruders.attacks import ANN, BOB, bearer, event, list_of
from intruders.forger import EC_KEY_ID, ec_key
from intruders.gateway import Request, Site


def honest(site: Site) -> None:
    """Everybody who may, can: a user by either kind of key, a guest, a backend for both."""
    for token in (
        site.forger.token(ANN),
        site.forger.token(ANN, key=ec_key("provider"), algorithm="ES256", header={"kid": EC_KEY_ID}),
        site.forger.token(ANN, aud=None, client_id="attune-api", token_use="access"),
        site.forger.token(ANN, aud=["another-api", "attune-api"], header={"typ": "at+jwt"}),
    ):
        assert site.send(Request("GET", list_of(ANN), bearer(token))).status == 200
        assert site.send(Request("GET", "/v1/trending", bearer(token))).status == 200
    made = site.signed(Request("POST", "/v1/server/guests"))
    assert made.status == 201, made
    guest, token = made.body["user_id"], made.body["token"]
    assert site.send(Request("GET", list_of(guest), bearer(token))).status == 200
    sent = site.send(Request("POST", "/v1/events", bearer(token), json.dumps(event(guest)).encode()))
    assert sent == (202, {"accepted": 1, "rejected": []})
    identified = json.dumps(event(ANN, "identify", visitor_token=token)).encode()
    sent = site.send(Request("POST", "/v1/events", bearer(site.forger.token(ANN)), identified))
    assert sent == (202, {"accepted": 1, "rejected": []})
    renewed = site.signed(Request("PUT", f"/v1/server/guests/{guest}"))
    assert (renewed.status, renewed.body["user_id"]) == (200, guest)
    for user in (ANN, BOB, guest):
        assert site.signed(Request("GET", f"/v1/server/users/{user}/recommendations")).status == 200
    both = json.dumps([event(ANN), event(BOB), event(ANN, "identify", visitor_id=guest)]).encode()
    assert site.signed(Request("POST", "/v1/server/events", (), both)) == (
        202,
        {"accepted": 3, "rejected": []},
    )


HONEST_EVENTS: Final = 5
"""What `honest` leaves in the stream, and no attack adds to."""
