"""The signed receipt of a recommendation."""

from datetime import timedelta

import pytest

from factories import NOW
from personalization.errors import InvalidToken
from personalization.experiments import Assignment
from personalization.tokens import issue, tail, verify

SECRET = b"token-secret"


def token() -> str:
    return issue(
        SECRET,
        list_id="list-1",
        user_key="user-1",
        surface="home",
        assignments=(Assignment("home-ranking", "model"),),
        model_version="v1",
        item_ids=["sku-1", "sku-2"],
        issued_at=NOW,
    )


def refusal(text: str, *, user_key: str = "user-1", later: timedelta = timedelta(0)) -> str:
    with pytest.raises(InvalidToken) as caught:
        verify(SECRET, text, user_key=user_key, now=NOW + later)
    return caught.value.code


def test_a_receipt_says_what_was_shown() -> None:
    receipt = verify(SECRET, token(), user_key="user-1", now=NOW)
    assert receipt.covers("sku-1")
    assert not receipt.covers("sku-3")
    assert receipt.assignments == (Assignment("home-ranking", "model"),)


def test_a_receipt_serves_its_own_user_only() -> None:
    assert refusal(token(), user_key="user-2") == "borrowed_token"


def test_a_receipt_expires() -> None:
    assert refusal(token(), later=timedelta(days=7, seconds=1)) == "expired_token"


def test_every_altered_character_is_noticed() -> None:
    good = token()
    for position in range(len(good) - 1):
        forged = good[:position] + ("A" if good[position] != "A" else "B") + good[position + 1 :]
        assert refusal(forged) in ("forged_token", "malformed_token")


@pytest.mark.parametrize("text", ["", "A", "é", "not base64!", "A" * 2_000])
def test_garbage_is_refused(text: str) -> None:
    assert refusal(text) in ("forged_token", "malformed_token")


def test_tokens_that_differ_in_one_fact_have_other_tails() -> None:
    """Even if all that differs is the first byte that is signed."""
    tokens = {
        issue(
            SECRET,
            list_id=f"list-{number}",
            user_key="user-1",
            surface="home",
            assignments=(),
            model_version="v1",
            item_ids=[f"sku-{place}" for place in range(number % 7)],
            issued_at=NOW,
        )
        for number in range(500)
    }
    assert len({tail(text) for text in tokens}) == 500
    assert {len(tail(text)) for text in tokens} == {20}
