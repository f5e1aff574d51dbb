"""The provider's published keys: fetched seldom, kept through outages, asked anew for what is unknown."""

import json
from datetime import timedelta

import pytest

from factories import NOW
from intruders.forger import KEY_ID, ec_key, provider, public_jwk, published, rsa_key
from personalization.access_tokens import signing_keys
from personalization.adapters.jwks import MAX_BYTES, PAUSE, REFETCH, PublishedKeys, fetch
from personalization.errors import CorruptData, Unavailable


class Publisher:
    """What the provider answers, how often it was asked, and the time."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.now = NOW
        self.keys = PublishedKeys("https://id.example/keys", lambda: self.now, self.answer)

    def answer(self, url: str) -> bytes:
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(found, Exception):
            raise found
        return found


def of(*keys: tuple[object, str]) -> bytes:
    return json.dumps({"keys": [public_jwk(key, key_id) for key, key_id in keys]}).encode()


def test_keys_are_fetched_with_the_first_token_and_again_after_ten_minutes() -> None:
    publisher = Publisher(published())
    assert publisher.asked == 0
    for _ in range(1_000):
        assert publisher.keys.find(KEY_ID)
    assert publisher.asked == 1
    publisher.now += REFETCH
    assert publisher.keys.find(KEY_ID)
    assert publisher.asked == 2


def test_a_key_that_was_withdrawn_is_refused_within_ten_minutes() -> None:
    publisher = Publisher(published(), of((rsa_key("provider"), "key-9")))
    assert publisher.keys.find(KEY_ID)
    publisher.now += REFETCH
    assert publisher.keys.find(KEY_ID) is None


def test_a_new_key_is_known_at_once_but_made_up_ones_cost_a_fetch_in_thirty_seconds_at_most() -> None:
    publisher = Publisher(published(), of((rsa_key("provider"), "key-9")))
    publisher.keys.find(KEY_ID)
    publisher.now += PAUSE
    assert publisher.keys.find("key-9")
    for number in range(1_000):
        assert publisher.keys.find(f"made-up-{number}") is None
        publisher.now += timedelta(milliseconds=20)
    assert publisher.asked == 2


@pytest.mark.parametrize("fault", [Unavailable("down"), b"<html>", b'{"keys":[]}'])
def test_through_an_outage_the_keys_fetched_last_stay_good(fault: bytes | Exception) -> None:
    publisher = Publisher(published(), fault)
    assert publisher.keys.find(KEY_ID)
    for _ in range(20):
        publisher.now += REFETCH
        assert publisher.keys.find(KEY_ID)


def test_without_any_keys_nobody_is_refused_and_nobody_let_in() -> None:
    publisher = Publisher(Unavailable("down"), published())
    with pytest.raises(Unavailable):
        publisher.keys.find(KEY_ID)
    publisher.now += PAUSE
    assert publisher.keys.find(KEY_ID)


def test_only_keys_for_signatures_with_an_id_are_taken() -> None:
    good = public_jwk(rsa_key("provider"), "good")
    rows = [
        good,
        {**good, "kid": "for encryption", "use": "enc"},
        {key: value for key, value in good.items() if key != "kid"},
        {**good, "kid": 7},
        {"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0", "alg": "HS256"},
        {**good, "kid": "symmetric algorithm", "alg": "HS256"},
        {**public_jwk(ec_key("provider"), "off the curve"), "x": "AAAA"},
        {"kty": "RSA", "kid": "empty"},
    ]
    assert signing_keys(json.dumps({"keys": rows}).encode()).keys() == {"good"}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys":7}', b'{"keys":[7]}', b'{"keys":[]}', b"\xff"])
def test_what_is_no_set_of_keys_is_told(text: bytes) -> None:
    with pytest.raises(CorruptData):
        signing_keys(text)


def test_keys_are_fetched_over_http_and_a_dead_address_is_an_outage() -> None:
    with provider() as forger:
        assert len(fetch(forger.issuer)) < MAX_BYTES
    with pytest.raises(Unavailable):
        fetch(forger.issuer)
    with pytest.raises(Unavailable):
        fetch("no address")
