"""The signed receipt of a recommendation."""

from datetime import timedelta

import pytest

from factories import NOW, event
from personalization.attribution import attribute
from personalization.errors import InvalidToken
from personalization.experiments import Assignment
from personalization.ledger import SeenIds
from personalization.names import Metric
from personalization.tokens import issue, verify

SECRET = b"token-secret"


def token(
    user_key: str = "user-1", items: tuple[str, ...] = ("sku-1", "sku-2"), surface: str = "home"
) -> str:
    return issue(
        SECRET,
        list_id="list-1",
        user_key=user_key,
        surface=surface,
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


def test_an_impression_counts_each_item_of_its_list_once() -> None:
    shown = event("impression", item_ids=("sku-1", "sku-2", "sku-9"), recommendation_id=token())
    ((series, count),) = attribute(shown, SECRET, SeenIds()).items()
    assert (series.metric, series.variant, count) == (Metric.IMPRESSIONS, "model", 2)


def test_the_same_click_or_slate_of_a_list_counts_once_whatever_its_event_ids() -> None:
    seen = SeenIds()
    clicks = [event("click", recommendation_id=token(), event_id=str(number)) for number in range(5)]
    assert sum(sum(attribute(one, SECRET, seen).values()) for one in clicks) == 1
    slate = event("impression", item_ids=("sku-1",) * 50, recommendation_id=token())
    assert [sum(attribute(slate, SECRET, seen).values()) for _ in range(2)] == [1, 0]


def test_a_click_with_a_borrowed_receipt_counts_nothing() -> None:
    assert attribute(event("click", recommendation_id=token(user_key="user-2")), SECRET, SeenIds()) == {}


def test_a_click_on_an_item_that_was_not_shown_counts_nothing() -> None:
    assert attribute(event("click", "sku-9", recommendation_id=token()), SECRET, SeenIds()) == {}


def test_unknown_surfaces_share_one_series() -> None:
    click = event("click", recommendation_id=token(surface="newsletter"))
    assert [series.surface for series in attribute(click, SECRET, SeenIds())] == ["other"]
