"""Attacks on `recommendation_id`: the events are taken in, and count for nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from intruders.attacks import ANN, BOB, bearer, event, list_of
from intruders.forger import Json
from intruders.gateway import InProcess, Request
from personalization.identity import user_key
from personalization.tokens import TOKEN_LIFETIME, issue

USER_SECRET, TOKEN_SECRET = b"user-key-secret", b"token-secret"


@dataclass(frozen=True)
class Shown:
    """A list that Ann was shown, and she clicked its first item."""

    receipt: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Misuse:
    """What is sent, by whom, with which receipt."""

    name: str
    sent: Callable[[Shown], Json]
    sender: str = ANN

    def strike(self, site: InProcess, shown: Shown) -> str:
        """Send it and hold that no click is counted."""
        before = clicks(site)
        send(site, self.sender, self.sent(shown))
        counted = clicks(site) - before
        assert counted == 0, f"{self.name}: counted {counted} times"
        return "202, counts for nothing"


def clicks(site: InProcess) -> int:
    """Have the stream projected, and return how many clicks were counted so far, in all series."""
    site.shop.settle()
    return site.shop.counted["Clicks"]


def send(site: InProcess, user: str, *events: Any) -> None:
    body = json.dumps(events).encode()
    answer = site.send(Request("POST", "/v1/events", bearer(site.forger.token(user)), body))
    assert answer == (202, {"accepted": len(events), "rejected": []})


def shown_to_ann(site: InProcess) -> Shown:
    """Show Ann her list, and have her click."""
    answer = site.send(Request("GET", list_of(ANN), bearer(site.forger.token(ANN)))).body
    shown = Shown(answer["recommendation_id"], tuple(item["item_id"] for item in answer["items"]))
    before = clicks(site)
    send(site, ANN, event(ANN, recommendation_id=shown.receipt, item_id=shown.items[0]))
    assert clicks(site) > before, "an honest click counts"
    return shown


def click(user: str, receipt: str, item_id: str) -> Json:
    return event(user, recommendation_id=receipt, item_id=item_id)


def made_up(shown: Shown, *, secret: bytes = TOKEN_SECRET, age: timedelta = timedelta(0)) -> str:
    """A receipt for what was shown, signed by some key at some time."""
    return issue(
        secret,
        list_id="made-up",
        user_key=user_key(USER_SECRET, ANN),
        surface="home",
        assignments=(),
        model_version="v1",
        item_ids=list(shown.items),
        issued_at=datetime.now(UTC) - age,
    )


def altered(receipt: str) -> str:
    middle = len(receipt) // 2
    return receipt[:middle] + ("A" if receipt[middle] != "A" else "B") + receipt[middle + 1 :]


ON_RECEIPTS: Final = (
    Misuse("a receipt used again", lambda s: click(ANN, s.receipt, s.items[0])),
    Misuse("another user's receipt", lambda s: click(BOB, s.receipt, s.items[1]), BOB),
    Misuse("a receipt altered", lambda s: click(ANN, altered(s.receipt), s.items[1])),
    Misuse("a receipt forged", lambda s: click(ANN, made_up(s, secret=b"guess"), s.items[1])),
    Misuse(
        "a receipt that is over",
        lambda s: click(ANN, made_up(s, age=TOKEN_LIFETIME + timedelta(minutes=1)), s.items[1]),
    ),
    Misuse("an item that was not shown", lambda s: click(ANN, s.receipt, "sku-never-shown")),
    Misuse("a receipt that is an access token", lambda s: click(ANN, "e30.e30.AAAA", s.items[1])),
)
