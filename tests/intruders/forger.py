"""Tokens, honest and forged: an identity provider with its published keys, and all ways of imitating it."""

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUDIENCE = "attune-api"
KEY_ID, EC_KEY_ID = "key-1", "key-2"
Json = dict[str, Any]


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key pair of whoever `name` is; 2048 bits take a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: Any, key_id: str) -> Json:
    algorithm = (
        jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    )
    row: Json = algorithm.to_jwk(key.public_key(), as_dict=True)
    return {**row, "kid": key_id, "use": "sig"}


def published() -> bytes:
    """The provider's set of keys, with one of a kind that no set should hold."""
    symmetric = {"kty": "oct", "k": encoded(b"s" * 32), "kid": "key-3", "alg": "HS256"}
    rows = [public_jwk(rsa_key("provider"), KEY_ID), public_jwk(ec_key("provider"), EC_KEY_ID), symmetric]
    return json.dumps({"keys": rows}).encode()


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def part(content: Json) -> str:
    return encoded(json.dumps(content).encode())


class Forger:
    """Mints tokens of the provider at `issuer`, and everything that only looks like one."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def claims(self, subject: Any = "ann", **changes: Any) -> Json:
        """An honest access token's claims; a change to None leaves a claim out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": subject, "iat": now - 5, "exp": now + 600}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self,
        subject: Any = "ann",
        *,
        key: Any = None,
        algorithm: str = "RS256",
        header: Json | None = None,
        **changes: Any,
    ) -> str:
        """Sign claims, by the provider's key unless told otherwise."""
        named = {"kid": KEY_ID, **(header or {})}
        named = {name: value for name, value in named.items() if value is not None}
        signing = jwt.PyJWS().encode(
            json.dumps(self.claims(subject, **changes)).encode(),
            key or rsa_key("provider"),
            algorithm=algorithm,
            headers={"typ": "JWT", **named},
        )
        return str(signing)

    def unsigned(self, subject: str = "ann", spelling: str = "none") -> str:
        return f"{part({'alg': spelling, 'typ': 'JWT', 'kid': KEY_ID})}.{part(self.claims(subject))}."

    def confused(self, subject: str = "ann") -> str:
        """HS256 by the public key, which everybody has."""
        public = rsa_key("provider").public_key()
        secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': KEY_ID})}.{part(self.claims(subject))}"
        return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"

    def altered(self, subject: str) -> str:
        """An honest token's header and signature around another subject."""
        header, _, signature = self.token("ann").split(".")
        return f"{header}.{part(self.claims(subject))}.{signature}"

    def guest(self, key: bytes, subject: str, *, header: Json | None = None, **changes: Any) -> str:
        """A guest's token, signed by `key`, with changes."""
        from hashlib import sha256

        now = int(time.time())
        claims = {"iss": "attune/guests", "aud": "attune", "sub": subject, "iat": now - 5, "exp": now + 600}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        named = {"typ": "attune-guest+jwt", "kid": sha256(b"kid:" + key).hexdigest()[:16], **(header or {})}
        return jwt.encode(claims, key, algorithm="HS256", headers=named)


@contextmanager
def provider() -> Iterator[Forger]:
    """Publish the keys on this machine."""

    class Publisher(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = published()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Forger(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
