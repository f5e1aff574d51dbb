"""Attacks by who is let in, on what is somebody else's: paths, events, routes for others."""

import json
from typing import Final

from intruders.attacks import (
    ANN,
    ANOTHER_KEY,
    BOB,
    GATEWAY,
    GUEST,
    HANDLER,
    Attack,
    called,
    event,
    list_of,
    posted,
    read_path,
)
from intruders.gateway import Request

_NOT_YOURS: Final = (HANDLER, 403, ("not_your_user",))
_LOOK_ALIKES: Final = (
    ("in another case", "Ann", "ann"),
    ("with a Cyrillic letter", "\u0430nn", "ann"),
    ("with a letter of full width", "\uff41nn", "ann"),
    ("with an accent composed otherwise", "jos\u00e9", "jose%CC%81"),
    ("with a space after it", "ann", "ann%20"),
    ("with nothing visible after it", "ann", "ann%E2%80%8B"),
    ("with a NUL after it", "ann", "ann%00"),
    ("with a NUL and another after it", "ann", "ann%00bob"),
    ("with a line break after it", "ann", "ann%0A"),
    ("spelled in overlong UTF-8", "ann", "%C1%A1nn"),
)
_PATHS: Final = (
    Attack("another user's list", read_path(list_of(BOB)), *_NOT_YOURS),
    *(
        Attack(f"a name {how}", read_path(list_of(path), subject), *_NOT_YOURS)
        for how, subject, path in _LOOK_ALIKES
    ),
    Attack(
        "an encoded slash to another", read_path(list_of("ann%2F..%2Fbob")), *_NOT_YOURS, or_no_route=True
    ),
    Attack("an encoded slash, twice", read_path(list_of("ann%252F..%252Fbob")), *_NOT_YOURS),
    Attack("another, encoded twice", read_path(list_of("%2562ob")), *_NOT_YOURS),
    Attack("a parameter within the path", read_path(list_of("bob;user_id=ann")), *_NOT_YOURS),
    Attack("the own name in the query", read_path(f"{list_of(BOB)}?user_id=ann"), *_NOT_YOURS),
    Attack(
        "the own name in headers of proxies",
        read_path(
            list_of(BOB),
            headers=(
                ("X-Original-URL", list_of(ANN)),
                ("X-Rewrite-URL", list_of(ANN)),
                ("X-User", ANN),
                ("X-Amzn-Oidc-Identity", BOB),
            ),
        ),
        *_NOT_YOURS,
    ),
    Attack("a slash at the end", read_path("/v1/trending/"), GATEWAY, 404),
    Attack("the route in capitals", read_path("/V1/Trending"), GATEWAY, 404),
    Attack("an encoded letter of the route", read_path("/v1/%73erver/trending/"), GATEWAY, 404),
    Attack("a user that is empty", read_path("/v1/users//recommendations"), GATEWAY, 404),
    Attack("a method that no route has", called("PATCH", list_of(ANN)), GATEWAY, 404),
)
_EVENTS: Final = (
    Attack("events of another", posted(lambda _: [event(BOB)]), HANDLER, 202, ("not_your_user",)),
    Attack(
        "500 events of others",
        posted(lambda _: [event(f"user-{n}") for n in range(500)]),
        HANDLER,
        202,
        ("not_your_user",),
    ),
    Attack(
        "an event with two users, the own one first",
        posted(lambda _: json.dumps(event(ANN))[:-1].encode() + b',"user_id":"bob"}'),
        HANDLER,
        202,
        ("not_your_user",),
    ),
    Attack("a look-alike's event", posted(lambda _: [event("\u0430nn")]), HANDLER, 202, ("not_your_user",)),
    Attack(
        "a visitor named without proof",
        posted(lambda _: [event(ANN, "identify", visitor_id=GUEST)]),
        HANDLER,
        202,
        ("invalid_visitor",),
    ),
    Attack(
        "a visitor by a forged token",
        posted(lambda s: [event(ANN, "identify", visitor_token=s.forger.guest(ANOTHER_KEY, GUEST))]),
        HANDLER,
        202,
        ("invalid_visitor",),
    ),
    Attack(
        "a visitor by a token that is over",
        posted(lambda s: [event(ANN, "identify", visitor_token=s.forger.guest(s.guest_key, GUEST, exp=1))]),
        HANDLER,
        202,
        ("invalid_visitor",),
    ),
    Attack(
        "a user's token as a visitor's",
        posted(lambda s: [event(ANN, "identify", visitor_token=s.forger.token(BOB))]),
        HANDLER,
        202,
        ("invalid_visitor",),
    ),
    Attack(
        "a visitor in an event that identifies nobody",
        posted(lambda s: [event(ANN, visitor_token=s.forger.guest(s.guest_key, GUEST))]),
        HANDLER,
        202,
        ("unexpected_field",),
    ),
    Attack(
        "a catalogue item among events",
        posted(lambda _: [event(ANN, "item_upserted", item_id="sku-1")]),
        HANDLER,
        202,
        ("forbidden_type",),
    ),
    Attack("501 events", posted(lambda _: [event(ANN)] * 501), HANDLER, 400, ("too_many_events",)),
    Attack(
        "a body over 5 MB",
        posted(lambda _: b"[" + b" " * (5 * 2**20) + b"]"),
        HANDLER,
        413,
        ("body_too_large",),
    ),
)
_BACKENDS: Final = (
    Attack("a user's token at a backend's route", called("GET", "/v1/server/trending"), GATEWAY),
    Attack("no signature at a backend's route", called("GET", "/v1/server/trending", None), GATEWAY),
    Attack("a user makes guests", called("POST", "/v1/server/guests"), GATEWAY),
    Attack("a user renews another's guest", called("PUT", f"/v1/server/guests/{GUEST}"), GATEWAY),
    Attack(
        "a user writes the catalogue", called("PUT", "/v1/items", body={"item_id": "sku-1"}), GATEWAY, 401
    ),
    Attack("a user reads experiments", called("GET", "/v1/experiments"), GATEWAY, 401),
    Attack(
        "a backend's token for a user who is no guest",
        lambda s: s.signed(Request("PUT", "/v1/server/guests/ann")),
        HANDLER,
        400,
        ("not_a_guest",),
    ),
)
ON_USERS: Final = (*_PATHS, *_EVENTS, *_BACKENDS)
