"""Simulated visits: what is shown and clicked, and that it can be repeated."""

from collections.abc import Callable
from typing import Any

from infrastructure.local.demo.visits import SLATE, Visitors

USERS = [f"user-{number}" for number in range(60)]


class ShopOfOneList:
    """Stands for the API's client: everybody sees the same list."""

    def __init__(self, *items: str) -> None:
        self.items = [{"item_id": item} for item in items]
        self.sent: list[list[dict[str, Any]]] = []

    def recommendations(self, user_id: str, *, limit: int) -> dict[str, Any]:
        return {"recommendation_id": f"receipt of {user_id}", "items": self.items[:limit]}

    def send(self, events: list[dict[str, Any]]) -> None:
        self.sent.append(events)


def visited(
    *, seed: int = 1, likes: Callable[[str, str, int], float] = lambda _user, _item, _place: 0.3
) -> list[dict[str, Any]]:
    shop = ShopOfOneList(*(f"item-{number}" for number in range(30)))
    Visitors(shop, likes, seed).visit(USERS, lambda: None)
    return [event for batch in shop.sent for event in batch]


def clicks(events: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [
        (event["user_id"], event["item_id"], event["position"])
        for event in events
        if event["event_type"] == "click"
    ]


def test_the_same_seed_clicks_the_same_items_and_another_one_others() -> None:
    assert clicks(visited(seed=1)) == clicks(visited(seed=1))
    assert clicks(visited(seed=1)) != clicks(visited(seed=2))


def test_every_visitor_sees_one_slate_and_every_event_is_new_and_brings_its_receipt_back() -> None:
    events = visited()
    impressions = [event for event in events if event["event_type"] == "impression"]
    assert [event["user_id"] for event in impressions] == USERS
    assert all(len(event["item_ids"]) == SLATE for event in impressions)
    assert len({event["event_id"] for event in events}) == len(events)
    assert all(event["recommendation_id"] == f"receipt of {event['user_id']}" for event in events)


def test_visitors_click_what_they_like_where_they_saw_it() -> None:
    found = clicks(visited(likes=lambda _user, item, place: float(item == "item-3" and place == 3)))
    assert found == [(user, "item-3", 3) for user in USERS]


def test_progress_is_told_for_every_visitor_and_an_empty_slate_leaves_no_event() -> None:
    shop, told = ShopOfOneList(), []
    Visitors(shop, lambda _user, _item, _place: 1.0, 1).visit(USERS, lambda: told.append(1))
    assert len(told) == len(USERS)
    assert shop.sent == []
