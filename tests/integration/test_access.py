"""Intruders against the guards in this process, and what an honest caller still can."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from intruders.attacks import ANN, BOB, Attack, bearer, event, list_of
from intruders.gateway import InProcess, Request, guarded
from intruders.honest import HONEST_EVENTS, honest
from intruders.on_receipts import ON_RECEIPTS, Misuse, Shown, shown_to_ann
from intruders.on_tokens import ON_TOKENS
from intruders.on_users import ON_USERS


@pytest.fixture(scope="module")
def site() -> Iterator[InProcess]:
    with guarded() as found:
        yield found


def test_everybody_who_may_call_can(site: InProcess) -> None:
    honest(site)
    assert len(site.shop.platform.stream_records()) == HONEST_EVENTS


@pytest.mark.parametrize("attack", [*ON_TOKENS, *ON_USERS], ids=lambda attack: attack.name)
def test_an_attack_stops_where_the_table_says(site: InProcess, attack: Attack) -> None:
    before = len(site.shop.platform.stream_records())
    attack.strike(site)
    assert len(site.shop.platform.stream_records()) == before, "something of it reached the stream"


def test_of_a_mixed_batch_the_own_events_are_taken_and_nothing_of_the_others(site: InProcess) -> None:
    before = len(site.shop.platform.stream_records())
    rows = [event(BOB, event_id="hers"), event(ANN, event_id="own"), event(BOB, event_id="his")]
    answer = site.send(
        Request("POST", "/v1/events", bearer(site.forger.token(ANN)), json.dumps(rows).encode())
    )
    assert answer.status == 202
    assert answer.body["accepted"] == 1
    assert [(row["index"], row["code"]) for row in answer.body["rejected"]] == [
        (0, "not_your_user"),
        (2, "not_your_user"),
    ]
    added = site.shop.platform.stream_records()[before:]
    assert len(added) == 1


def test_a_token_that_ends_while_the_gateway_remembers_it_is_refused(site: InProcess) -> None:
    headers = bearer(site.forger.token(ANN, jti="one of its own"))
    assert site.send(Request("GET", list_of(ANN), headers)).status == 200
    verdict: dict[str, Any] = site.remembered[headers[0][1]]["context"]
    verdict["until"] -= 900
    answer = site.send(Request("GET", list_of(ANN), headers))
    assert (answer.status, answer.code) == (403, "token_expired")


@pytest.fixture(scope="module")
def shown(site: InProcess) -> Shown:
    return shown_to_ann(site)


@pytest.mark.parametrize("misuse", ON_RECEIPTS, ids=lambda misuse: misuse.name)
def test_a_misused_receipt_counts_for_nothing(site: InProcess, shown: Shown, misuse: Misuse) -> None:
    misuse.strike(site, shown)


@pytest.mark.parametrize(
    "safeguard",
    [
        "personalization.access_tokens._check_purpose",
        "personalization.access_tokens._check_times",
        "personalization.access_tokens.is_guest",
        "functions.get_recommendations.handler.check_user",
        "functions.ingest_events.handler.subject_of",
        "personalization.ingestion.visitor_of",
    ],
)
def test_an_attack_tells_when_a_safeguard_is_gone(
    site: InProcess, monkeypatch: pytest.MonkeyPatch, safeguard: str
) -> None:
    monkeypatch.setattr(safeguard, lambda *_, **__: None)
    site.remembered.clear()
    with pytest.raises(AssertionError):
        strike_all(site)
    site.remembered.clear()


def strike_all(site: InProcess) -> None:
    for attack in (*ON_TOKENS, *ON_USERS):
        attack.strike(site)
