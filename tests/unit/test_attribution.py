"""What counts for a recommendation: through the signed receipt only, and once."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, event, record
from personalization.adapters.memory import (
    MemoryErasureQueue,
    MemoryQuarantine,
    MemoryRefreshQueue,
    MemoryTable,
)
from personalization.attribution import MAX_DWELL_SECONDS, Attribution, attribute, outcomes
from personalization.events import Event
from personalization.experiments import Assignment
from personalization.ledger import CREDITS, CreditedItems
from personalization.names import Consent, Metric, Surface
from personalization.profiles import LATE_WINDOW
from personalization.projection import Projector
from personalization.tokens import TOKEN_LIFETIME, issue

SECRET = b"token-secret"
MODEL = Assignment("home-ranking", "model")


def token(
    user_key: str = "user-1",
    *,
    items: tuple[str, ...] = ("sku-1", "sku-2"),
    surface: str = "home",
    list_id: str = "list-1",
    assignments: tuple[Assignment, ...] = (MODEL,),
    secret: bytes = SECRET,
) -> str:
    return issue(
        secret,
        list_id=list_id,
        user_key=user_key,
        surface=surface,
        assignments=assignments,
        model_version="v1",
        item_ids=list(items),
        issued_at=NOW,
    )


def by_variant(*events: Event, credited: CreditedItems | None = None) -> dict[Metric, float]:
    """Totals of variant `model` by metric."""
    credited = credited or CreditedItems()
    totals: Counter[Metric] = Counter()
    for one in events:
        for series, value in attribute(one, SECRET, credited).items():
            if series.variant == "model":
                totals[series.metric] += value
    return dict(totals)


def test_an_impression_counts_each_item_of_its_list_once() -> None:
    shown = event("impression", item_ids=("sku-1", "sku-2", "sku-9", "sku-1"), recommendation_id=token())
    assert by_variant(shown) == {Metric.IMPRESSIONS: 2}


def test_a_purchase_is_a_conversion_and_brings_in_its_value() -> None:
    bought = event("purchase", recommendation_id=token(), value=24.5)
    assert by_variant(bought) == {Metric.CONVERSIONS: 1, Metric.REVENUE: 24.5}


def test_a_purchase_without_a_value_is_a_conversion_that_brings_in_nothing() -> None:
    assert by_variant(event("purchase", recommendation_id=token())) == {
        Metric.CONVERSIONS: 1,
        Metric.REVENUE: 0,
    }


def test_dwell_adds_up_seconds_and_a_page_left_open_is_cut() -> None:
    read = event("dwell", "sku-1", recommendation_id=token(), value=12.5)
    left_open = event("dwell", "sku-2", recommendation_id=token(), value=1e9)
    assert by_variant(read, left_open) == {Metric.DWELL: 12.5 + MAX_DWELL_SECONDS}


@pytest.mark.parametrize("kind", ["impression", "click", "dwell", "purchase"])
def test_each_type_counts_once_for_an_item_of_a_list_whatever_the_event_ids(kind: str) -> None:
    again = [
        event(kind, recommendation_id=token(), event_id=str(number), value=3.0 if kind != "click" else None)
        for number in range(5)
    ]
    assert by_variant(*again) == by_variant(again[0])


def test_an_item_counts_again_in_another_list_and_in_another_type() -> None:
    first, second = token(), token(list_id="list-2")
    clicks = [event("click", recommendation_id=text) for text in (first, second, first)]
    bought = event("purchase", recommendation_id=first, value=2.0)
    assert by_variant(*clicks, bought) == {Metric.CLICKS: 2, Metric.CONVERSIONS: 1, Metric.REVENUE: 2}


def test_slates_that_overlap_count_the_items_they_share_once() -> None:
    slates = [("sku-1",), ("sku-1", "sku-2"), ("sku-2", "sku-1")]
    shown = [event("impression", item_ids=slate, recommendation_id=token()) for slate in slates]
    assert by_variant(*shown) == {Metric.IMPRESSIONS: 2}


def test_two_receipts_of_one_list_are_one_list() -> None:
    narrow, wide = token(items=("sku-1",)), token(items=("sku-1", "sku-2"))
    assert by_variant(*[event("click", recommendation_id=text) for text in (narrow, wide)]) == {
        Metric.CLICKS: 1
    }


def test_repeats_are_known_while_fewer_than_the_window_came_between() -> None:
    items = tuple(f"sku-{number}" for number in range(CREDITS + 1))
    receipt = token(items=items)
    clicks = [event("click", item_id, recommendation_id=receipt) for item_id in items]
    known, forgotten = CreditedItems(), CreditedItems()
    assert by_variant(*clicks[:CREDITS], clicks[0], credited=known) == {Metric.CLICKS: CREDITS}
    assert by_variant(*clicks, clicks[0], credited=forgotten) == {Metric.CLICKS: CREDITS + 2}
    assert len(bytes(forgotten)) == 3 * CREDITS


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"recommendation_id": token(user_key="user-2")}, id="another user's receipt"),
        pytest.param({"recommendation_id": token(secret=b"guess")}, id="a forged receipt"),
        pytest.param({"recommendation_id": "not base64!"}, id="garbage"),
        pytest.param({"recommendation_id": None}, id="no receipt"),
        pytest.param({"item_id": "sku-9"}, id="an item that was not shown"),
        pytest.param({"event_type": "view"}, id="a type that no metric counts"),
        pytest.param({"bot": True}, id="a bot"),
        pytest.param(
            {"received_at": NOW + TOKEN_LIFETIME + timedelta(seconds=1), "occurred_at": NOW + TOKEN_LIFETIME},
            id="an expired receipt",
        ),
        pytest.param(
            {"received_at": NOW + timedelta(1), "occurred_at": NOW + timedelta(1, -1) - LATE_WINDOW},
            id="an event too late to reach a profile",
        ),
    ],
)
def test_nothing_else_counts(changes: dict[str, Any]) -> None:
    fields = {"event_type": "purchase", "recommendation_id": token(), "value": 9.0} | changes
    assert outcomes(event(**fields), SECRET) == []


def test_the_last_second_of_a_receipts_life_counts() -> None:
    last = NOW + TOKEN_LIFETIME
    bought = event("purchase", recommendation_id=token(), occurred_at=last)
    assert by_variant(bought)[Metric.CONVERSIONS] == 1


def test_a_users_click_outside_of_every_experiment_counts_for_the_surface_alone() -> None:
    click = event("click", recommendation_id=token(assignments=()))
    assert attribute(click, SECRET, CreditedItems()) == {Attribution(Metric.CLICKS, Surface.HOME): 1}


def test_a_surface_counts_once_however_many_experiments_run_on_it() -> None:
    two = (MODEL, Assignment("label", "because"))
    click = event("click", recommendation_id=token(assignments=two))
    assert attribute(click, SECRET, CreditedItems()) == {
        Attribution(Metric.CLICKS, Surface.HOME): 1,
        Attribution(Metric.CLICKS, Surface.HOME, "home-ranking", "model"): 1,
        Attribution(Metric.CLICKS, Surface.HOME, "label", "because"): 1,
    }


def test_unknown_surfaces_share_one_series() -> None:
    click = event("click", recommendation_id=token(surface="newsletter"))
    assert {series.surface for series in attribute(click, SECRET, CreditedItems())} == {Surface.OTHER}


TOKENS = [token(user, list_id=name) for user in ("user-1", "user-2") for name in ("list-1", "list-2")]
ACTS = st.builds(
    event,
    st.sampled_from(["impression", "click", "dwell", "purchase"]),
    st.sampled_from(["sku-1", "sku-2", "sku-9"]),
    user_key=st.sampled_from(["user-1", "user-2"]),
    recommendation_id=st.sampled_from([*TOKENS, None]),
    value=st.sampled_from([1.0, 2.5]),
    bot=st.booleans(),
    occurred_at=st.sampled_from([NOW, NOW + timedelta(days=3), NOW + timedelta(days=8)]),
    event_id=st.uuids().map(str),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_the_live_metrics_are_what_the_lake_adds_up_to(events: list[Event]) -> None:
    """Two paths over the same events, in batches with a replay here, by identity alone there."""
    live: dict[Attribution, float] = Counter()
    table = MemoryTable()
    records = [record(one, number) for number, one in enumerate(events, 1)]
    for start in (0, 0, 10, 20, 30):
        for series, value in projected(table, records[start : start + 10]).items():
            live[series] += value

    lake: dict[tuple[str, str], float] = Counter()
    counted = set()
    for one in events:
        for credit in outcomes(one, SECRET):
            if (credit.user_key, credit.identity) not in counted:
                counted.add((credit.user_key, credit.identity))
                lake[credit.event_type] += 1
                lake[f"{credit.event_type} value"] += credit.value
    pairs = {
        Metric.IMPRESSIONS: "impression",
        Metric.CLICKS: "click",
        Metric.DWELL: "dwell value",
        Metric.CONVERSIONS: "purchase",
        Metric.REVENUE: "purchase value",
    }
    for metric, name in pairs.items():
        assert live[Attribution(metric, Surface.HOME)] == pytest.approx(lake[name])
        assert live[Attribution(metric, Surface.HOME, *MODEL_SERIES)] == pytest.approx(lake[name])


MODEL_SERIES = (MODEL.experiment, MODEL.variant)


def projected(table: MemoryTable, records: list[Any]) -> dict[Attribution, float]:
    now: datetime = NOW
    projector = Projector(
        profiles=table,
        catalog=table,
        quarantine=MemoryQuarantine(),
        refreshes=MemoryRefreshQueue(),
        erasures=MemoryErasureQueue(),
        consent_default=Consent.PERSONALIZATION,
        token_secret=SECRET,
        epoch=1,
        clock=lambda: now,
        new_id=iter(map(str, range(10**6))).__next__,
    )
    return projector.project(records).attributions
