"""Backtests: only the past teaches, only what is new counts, and a better method shows."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from factories import NOW, event
from personalization.events import Event
from training.backtest import ALS, COVISITATION, MODEL, POPULARITY, TOP, Backtest, Question, backtest, main

USERS, ITEMS, VISITS = 120, 150, 14


def walks() -> list[Event]:
    """Users walk through the catalogue, some steps every week: what comes next can be told."""
    chance = np.random.default_rng(5)
    events = []
    for user in range(USERS):
        walk = (chance.integers(ITEMS) + np.cumsum(chance.choice([1, 1, 2], VISITS))) % ITEMS
        events += [
            event(
                "rating",
                f"sku-{item:03}",
                user_key=f"user-{user:03}",
                event_id=f"{user}-{place}",
                value=5.0,
                occurred_at=NOW + timedelta(days=7 * place, minutes=user),
            )
            for place, item in enumerate(walk.tolist())
        ]
    return sorted(events, key=lambda one: one.received_at)


@pytest.fixture(scope="module")
def found() -> Backtest:
    return backtest(lambda: iter(walks()), [], Question(earlier=5), cuts=2, seed=1, threads=1)


def test_users_answer_at_each_moment_before_which_they_had_enough_events(found: Backtest) -> None:
    assert len(found.users) == len(found.gains[MODEL]) > USERS
    assert set(found.users) <= {f"user-{user:03}" for user in range(USERS)}
    assert found.gains.keys() == {MODEL, COVISITATION, ALS, POPULARITY}


def test_what_can_be_told_is_told_better_by_the_model_than_by_popularity(found: Backtest) -> None:
    assert np.mean(found.gains[MODEL]) > np.mean(found.gains[POPULARITY]) + 0.1
    assert all(0 <= gain <= 1 for gains in found.gains.values() for gain in gains)


def test_an_answer_that_only_the_future_knows_is_found_by_nobody() -> None:
    """A planted future: from the last moment on everybody comes to an item that nobody had come to before."""
    log = walks()
    last = log[round(len(log) / 2)].received_at
    planted = [
        msgspec.structs.replace(one, item_id="sku-new") if one.received_at >= last else one for one in log
    ]
    found = backtest(lambda: iter(planted), [], Question(), cuts=1, seed=1, threads=1)
    assert len(found.users) > USERS / 2
    assert {gain for gains in found.gains.values() for gain in gains} == {0.0}


def test_visitors_are_asked_as_whom_they_turned_out_to_be() -> None:
    log = walks()[: USERS * 7]
    signed_in = [
        event("identify", None, event_id="i", user_key=user, visitor_key=f"v-{user}", occurred_at=NOW)
        for user in sorted({one.user_key for one in log})
    ]
    visits = [
        msgspec.structs.replace(one, user_key=f"v-{one.user_key}") if place % 2 else one
        for place, one in enumerate(log)
    ]
    names = [msgspec.structs.replace(one, visitor_key="") for one in signed_in]
    question = Question(earlier=3)
    split, whole = (
        backtest(partial(iter, rows), [], question, cuts=1, seed=1, threads=1)
        for rows in ([*signed_in, *visits], [*names, *log])
    )
    assert split.users == whole.users
    assert split.gains == whole.gains


def test_gains_are_those_of_the_lists() -> None:
    pooled = Backtest()
    pooled.add({"a": {"x", "y"}, "b": {"z"}}, {MODEL: {"a": ["x", "n", "y"], "b": ["n"] * TOP}})
    assert pooled.users == ["a", "b"]
    assert pooled.gains[MODEL] == pytest.approx([1.5 / (1 + 1 / np.log2(3)), 0.0])


def test_low_ratings_and_bots_ask_for_nothing() -> None:
    question = Question(rating=4.0)
    assert question.relevant(event("rating", "a", value=4.0))
    assert not question.relevant(event("rating", "a", value=3.5))
    assert question.relevant(event("purchase", "a"))
    assert not question.relevant(event("dislike", "a"))
    assert not question.relevant(event("click", "a", bot=True))


def test_the_command_prints_the_table_or_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    rows = [
        {
            "schema_version": 1,
            "event_id": one.event_id,
            "event_type": "rating",
            "user_id": one.user_key,
            "item_id": one.item_id,
            "value": one.value,
            "occurred_at": one.occurred_at,
        }
        for one in walks()
    ]
    log.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    assert main(["--events", str(log), "--cuts", "1", "--threads", "1"]) == 0
    assert "answers of" in capsys.readouterr().out
    assert main(["--events", str(log), "--cuts", "1", "--earlier", "99", "--threads", "1"]) == 1
    assert main(["--events", str(tmp_path / "none")]) == 1
    assert "there is no file" in capsys.readouterr().err
