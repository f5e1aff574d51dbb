"""Attacks on what proves who is calling: the header, the signature, the claims, guests' tokens."""

import time
from typing import Final

import jwt

from intruders.attacks import (
    ANN,
    ANOTHER_KEY,
    BOB,
    DAY,
    GATEWAY,
    GUEST,
    HANDLER,
    OTHER_GUEST,
    Attack,
    bearer,
    list_of,
    read_as_guest,
    read_with,
    sent_with,
)
from intruders.forger import Forger, Json, ec_key, encoded, part, public_jwk, rsa_key
from intruders.gateway import Request, Site


def now() -> int:
    return int(time.time())


def _embedded(forger: Forger) -> str:
    own = rsa_key("mallory")
    return forger.token(key=own, header={"kid": "mallory", "jwk": public_jwk(own, "mallory")})


def _deep(forger: Forger) -> str:
    head = encoded(b'{"alg":"RS256","kid":"key-1","a":' + b"[" * 3_000)
    return f"{head}.{part(forger.claims())}.AAAA"


def _kid_of(site: Site) -> Json:
    return {"kid": jwt.get_unverified_header(site.forger.guest(site.guest_key, GUEST))["kid"]}


_DOOR: Final = (
    Attack("no token", sent_with(lambda _: ()), GATEWAY, 401),
    Attack(
        "a token in the query",
        lambda site: site.send(Request("GET", f"{list_of(ANN)}?authorization={site.forger.token()}")),
        GATEWAY,
        401,
    ),
    Attack("a password instead of a token", sent_with(lambda _: (("Authorization", "Basic YW5uOmFubg=="),))),
    Attack("a bare token, without its scheme", sent_with(lambda f: (("Authorization", f.token()),))),
    Attack("two headers, one honest", sent_with(lambda f: (*bearer(f.token(BOB)), *bearer(f.token())))),
    Attack("two tokens in one header", sent_with(lambda f: bearer(f"{f.token(BOB)} {f.token()}"))),
    Attack("something after the token", sent_with(lambda f: bearer(f"{f.token()},x"))),
    Attack("garbage", read_with(lambda _: "a.b.c")),
    Attack("a header of 3,000 brackets", read_with(_deep)),
    Attack(
        "a backend's signature at a user's route",
        sent_with(
            lambda _: (("Authorization", "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0"),)
        ),
    ),
)
_SIGNATURES: Final = (
    *(
        Attack(f"algorithm {spelling!r}", read_with(lambda f, s=spelling: f.unsigned(spelling=s) + "AA"))
        for spelling in ("none", "None", "nOnE", "")
    ),
    Attack("algorithm none without a signature", read_with(Forger.unsigned)),
    Attack("HS256 by the public key", read_with(Forger.confused)),
    Attack(
        "HS256 by a symmetric key of the published set",
        read_with(lambda f: f.token(key=b"s" * 32, algorithm="HS256", header={"kid": "key-3"})),
    ),
    Attack("PS256 by a key for RS256", read_with(lambda f: f.token(algorithm="PS256"))),
    Attack(
        "ES256 under the id of the RSA key",
        read_with(lambda f: f.token(key=ec_key("provider"), algorithm="ES256")),
    ),
    Attack("claims altered", read_with(lambda f: f.altered(BOB))),
    Attack("signature cut off", read_with(lambda f: f.token().rpartition(".")[0] + ".AA")),
    Attack("another's key under the provider's id", read_with(lambda f: f.token(key=rsa_key("mallory")))),
    Attack(
        "another's key under an id of its own",
        read_with(lambda f: f.token(key=rsa_key("mallory"), header={"kid": "mallory"})),
    ),
    Attack("the key to check with, in the token", read_with(_embedded)),
    Attack(
        "an address of keys, in the token",
        read_with(lambda f: f.token(key=rsa_key("mallory"), header={"jku": "https://evil.example/keys"})),
    ),
    Attack("no key id", read_with(lambda f: f.token(header={"kid": None}))),
    Attack("a path as key id", read_with(lambda f: f.token(header={"kid": "../../dev/null"}))),
    Attack(
        "an extension that must be understood",
        read_with(lambda f: f.token(header={"crit": ["exp"], "exp": 1})),
    ),
)
_CLAIMS: Final = (
    Attack("another issuer", read_with(lambda f: f.token(iss="https://evil.example"))),
    Attack("the issuer with a slash more", read_with(lambda f: f.token(iss=f"{f.issuer}/"))),
    Attack("another audience", read_with(lambda f: f.token(aud="another-api"))),
    Attack("no audience", read_with(lambda f: f.token(aud=None))),
    Attack("an audience that begins alike", read_with(lambda f: f.token(aud="attune-api-2"))),
    Attack("an ID token, by its nonce", read_with(lambda f: f.token(nonce="n"))),
    Attack("an ID token, by what Cognito calls it", read_with(lambda f: f.token(token_use="id"))),
    Attack("a token of another type", read_with(lambda f: f.token(header={"typ": "logout+jwt"}))),
    Attack("expired", read_with(lambda f: f.token(iat=now() - 900, exp=now() - 60))),
    Attack("not valid yet", read_with(lambda f: f.token(nbf=now() + 300))),
    Attack("issued in the future", read_with(lambda f: f.token(iat=now() + 300, exp=now() + 600))),
    Attack("for ten years", read_with(lambda f: f.token(exp=now() + 3650 * DAY))),
    Attack("without an end", read_with(lambda f: f.token(exp=None))),
    Attack("an end that is no number", read_with(lambda f: f.token(exp=float("nan")))),
    Attack("an end at infinity", read_with(lambda f: f.token(exp=float("inf")))),
    Attack("an end of 400 digits", read_with(lambda f: f.token(exp=10**400))),
    Attack("times as text", read_with(lambda f: f.token(exp="4102444800"))),
    Attack("no subject", read_with(lambda f: f.token(None))),
    Attack("a number as subject", read_with(lambda f: f.token(7))),
    Attack("an empty subject", read_with(lambda f: f.token(""))),
    Attack("a NUL in the subject", read_with(lambda f: f.token("ann\0"))),
    Attack("half a surrogate pair in the subject", read_with(lambda f: f.token("ann\ud800"))),
    Attack("a subject of 129 characters", read_with(lambda f: f.token("x" * 129))),
    Attack("a user named like a guest", read_with(lambda f: f.token(GUEST))),
)
_GUESTS: Final = (
    Attack("a guest of another environment", read_as_guest(lambda s: s.forger.guest(ANOTHER_KEY, GUEST))),
    Attack(
        "a guest's token by another key, under the key's id",
        read_as_guest(lambda s: s.forger.guest(ANOTHER_KEY, GUEST, header=_kid_of(s))),
    ),
    Attack(
        "a guest's token that is over",
        read_as_guest(lambda s: s.forger.guest(s.guest_key, GUEST, exp=now() - 1)),
    ),
    Attack(
        "a guest's token for a year",
        read_as_guest(lambda s: s.forger.guest(s.guest_key, GUEST, exp=now() + 365 * DAY)),
    ),
    Attack(
        "a guest's token in the name of the provider",
        read_as_guest(lambda s: s.forger.guest(s.guest_key, GUEST, iss=s.forger.issuer)),
    ),
    Attack(
        "a guest's token that calls itself a plain one",
        read_as_guest(lambda s: s.forger.guest(s.guest_key, GUEST, header={"typ": "JWT"})),
    ),
    Attack(
        "a guest's token for somebody who is no guest",
        read_as_guest(lambda s: s.forger.guest(s.guest_key, ANN)),
    ),
    Attack(
        "a guest reads a user",
        lambda s: s.send(Request("GET", list_of(ANN), bearer(s.forger.guest(s.guest_key, GUEST)))),
        HANDLER,
        403,
        ("not_your_user",),
    ),
    Attack(
        "a guest reads another guest",
        lambda s: s.send(Request("GET", list_of(OTHER_GUEST), bearer(s.forger.guest(s.guest_key, GUEST)))),
        HANDLER,
        403,
        ("not_your_user",),
    ),
)
ON_TOKENS: Final = (*_DOOR, *_SIGNATURES, *_CLAIMS, *_GUESTS)
