"""Who asks to be forgotten is, everywhere, with a receipt, and nothing brings them back."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from erasures.people import People, key_of
from functions.delete_user.handler import handler as delete_user
from functions.erase_users import handler as worker
from functions.get_erasure.handler import handler as get_erasure
from functions.get_user.handler import handler as get_user
from integration.conftest import Platform
from personalization.adapters.sqs import SqsErasureQueue
from personalization.erasure import erasure_id
from personalization.ports import ErasureRequest

STORES = {
    "events",
    "experiments",
    "exposures",
    "lists",
    "profile",
    "quarantine",
    "snapshots",
    "training runs",
}
STONES = {"erasures/ledger": 1, "erasures/pending": 1, "PROFILE": 1}
"""All that may mention who was forgotten: the tombstones, and the work until it has been done again."""


@pytest.fixture
def people(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> People:
    monkeypatch.setattr("functions.erase_users.stores.RUN_LASTS", timedelta(0))
    return People(platform)


def test_a_person_rests_in_so_many_places(people: People) -> None:
    people.fill("ann", "bob")
    assert people.traces("ann") == people.traces("bob")
    assert people.traces("ann").keys() == {
        "events",
        "exposures",
        "quarantine",
        "quarantine/exposures",
        "experiments/state",
        "exports",
        "snapshots",
        "runs",
        "PROFILE",
        "LIST",
    }


def test_nothing_is_left_of_who_was_forgotten_and_all_of_everybody_else(people: People) -> None:
    people.fill("ann", "bob")
    before = people.traces("bob")
    first = people.forget("ann")
    assert first["status"] == "requested"
    assert people.work() == {"batchItemFailures": []}
    assert people.traces("ann") == STONES
    of_nights = {"snapshots", "runs"}
    assert {name: count for name, count in people.traces("bob").items() if name not in of_nights} == {
        name: count for name, count in before.items() if name not in of_nights
    }
    receipt = people.receipt(first["erasure_id"])
    assert receipt["status"] == "complete"
    assert {row["store"] for row in receipt["stores"]} == STORES
    assert all(row["removed"] > 0 for row in receipt["stores"])
    assert {row["what"] for row in receipt["expires"]} == {"backups of profiles", "log lines"}
    assert key_of("ann") not in json.dumps(receipt)


def test_what_others_did_stays_byte_for_byte_in_its_order(people: People) -> None:
    people.act("ann", "bob", "ann", "eve")
    before = lines(people)
    people.forget("ann")
    people.work()
    assert lines(people) == [line for line in before if key_of("ann").encode() not in line]
    assert before != lines(people)


def lines(people: People) -> list[bytes]:
    found = [body for key, body in people.objects() if key.startswith("events/")]
    return [line for body in found for line in gzip.decompress(body).splitlines()]


def test_all_is_looked_through_again_for_what_came_late_and_then_only_the_tombstones_are_left(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.fill("ann", "bob")
    erasure = people.forget("ann")["erasure_id"]
    people.work()
    people.consume(again=True)
    people.leave_nights(["ann"])
    assert people.traces("ann").keys() - STONES.keys() == {"events", "snapshots", "runs"}
    assert people.invoke({}) == {"repeated": 0}
    after(monkeypatch, people.later(14))
    assert people.invoke({}) == {"repeated": 1}
    assert people.traces("ann") == {"erasures/ledger": 1, "PROFILE": 1}
    receipt = people.receipt(erasure)
    assert receipt["repeated_at"] >= receipt["repeats_after"]
    assert people.invoke({}) == {"repeated": 0}


def after(monkeypatch: pytest.MonkeyPatch, then: datetime) -> None:
    """Let the worker's clock stand at a time."""
    for module in ("handler", "dependencies"):
        monkeypatch.setattr(f"functions.erase_users.{module}.now", lambda: then)
    worker.dependencies.cache_clear()


def test_what_a_running_night_needs_is_left_until_it_has_ended(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.erase_users.stores.RUN_LASTS", timedelta(hours=12))
    people.fill("ann")
    erasure = people.forget("ann")["erasure_id"]
    people.work()
    (runs,) = [row for row in people.receipt(erasure)["stores"] if row["store"] == "training runs"]
    assert (runs["left"], runs["removed"]) == (3, 0)
    after(monkeypatch, people.later(14))
    people.invoke({})
    assert people.traces("ann") == {"erasures/ledger": 1, "PROFILE": 1}


def test_work_that_stops_anywhere_is_gone_on_with_where_it_stopped(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.erase_users.work.CHUNK", 1)
    for _ in range(3):
        people.act("ann", "bob")
    people.fill("ann", "bob")
    erasure = people.forget("ann")["erasure_id"]
    message = people.messages()
    budgets = 0
    while True:
        budgets += 1
        context = Impatient(iter([900_000, 900_000]))
        monkeypatch.setattr("erasures.people.SimpleNamespace", lambda context=context, **_: context)
        if people.invoke({"Records": message}) == {"batchItemFailures": []}:
            break
        assert budgets < 40
    assert budgets > 5
    assert people.traces("ann") == STONES
    stores = {row["store"]: row for row in people.receipt(erasure)["stores"]}
    assert stores["events"]["objects"] == 4
    assert stores["events"]["removed"] == 12
    assert stores["quarantine"]["removed"] == 3


class Impatient:
    """A context that has time for some chunks."""

    def __init__(self, left: Iterator[int]) -> None:
        self._left = left

    def get_remaining_time_in_millis(self) -> int:
        return next(self._left, 0)


def test_asking_twice_does_no_more_than_asking_once(people: People) -> None:
    people.fill("ann", "bob")
    people.forget("ann")
    message = people.messages()
    for _ in range(2):
        assert people.invoke({"Records": message}) == {"batchItemFailures": []}
    before = people.traces("bob")
    people.forget("ann")
    people.work()
    assert people.traces("bob") == before
    assert people.traces("ann").keys() == STONES.keys()


def test_a_lost_message_is_made_up_for_within_the_hour(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.fill("ann")
    erasure = people.forget("ann")["erasure_id"]
    people.messages()
    after(monkeypatch, people.later(0.6))
    assert people.invoke({}) == {"repeated": 1}
    assert people.receipt(erasure)["status"] == "complete"
    assert people.traces("ann") == STONES


def test_several_are_forgotten_in_one_pass(people: People) -> None:
    people.fill("ann", "bob", "eve")
    for user in ("ann", "eve"):
        people.forget(user)
    people.work()
    assert people.traces("ann") == people.traces("eve") == STONES
    assert people.traces("bob")["events"] == 1


def test_a_message_that_is_none_is_given_back_and_holds_nobody_up(people: People) -> None:
    people.act("ann")
    people.forget("ann")
    rows = [*people.messages(), {"messageId": "bad", "body": "{}"}]
    assert people.invoke({"Records": rows}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert people.traces("ann") == STONES


def test_damaged_objects_hold_nobody_up(people: People) -> None:
    people.act("ann")
    client = boto3.client("s3")
    for bucket, key in (
        ("lake", "events/date=2026-01-01/x.jsonl.gz"),
        ("lake", "experiments/state/x.zip"),
        ("lake", "quarantine/date=2026-01-01/x.json"),
        ("models", "runs/r1/lists/x.jsonl.gz"),
    ):
        client.put_object(Bucket=bucket, Key=key, Body=b"\x1f\x8bno")
    people.forget("ann")
    assert people.work() == {"batchItemFailures": []}
    assert people.traces("ann") == STONES


def test_who_asks_is_told_what_is_held_and_gets_every_line_of_it(people: People) -> None:
    people.fill("ann", "bob")
    boto3.client("s3").delete_object(Bucket="lake", Key=f"exports/{key_of('ann')}.jsonl.gz")
    held = people.ask("ann")
    assert held["user_key"] == key_of("ann")
    assert held["profile"]["counts"] == {"view": 1, "click": 1, "purchase": 1}
    assert [row["items"][0]["item_id"] for row in held["lists"]] == ["sku-1"]
    assert held["assignments"].keys() == {"home-ranking"}
    assert (held["forgotten_at"], held["events"]["status"]) == (None, "under_way")
    people.work()
    events = people.ask("ann")["events"]
    assert events["status"] == "ready"
    assert "Signature" in events["url"]
    (body,) = [body for key, body in people.objects() if key == f"exports/{key_of('ann')}.jsonl.gz"]
    found = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert [row["event"]["event_id"] for row in found if "event" in row] == [f"ann-0-{n}" for n in range(3)]
    assert [row["request_id"] for row in found if "request_id" in row] == ["ann-2"]
    assert key_of("bob").encode() not in gzip.decompress(body)
    assert people.messages() == []


def test_of_who_is_not_known_nothing_is_held(people: People) -> None:
    held = people.ask("nobody")
    assert (held["profile"], held["lists"]) == (None, [])
    people.forget("nobody")
    people.work()
    assert people.ask("nobody")["forgotten_at"]
    assert people.traces("nobody").keys() == STONES.keys()


@pytest.mark.parametrize("handler", [get_user, delete_user])
def test_an_app_acts_for_its_own_user_only(people: People, handler) -> None:
    claims = {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": "bob"}}}}}
    path = {"pathParameters": {"user_id": "ann"}}
    status, body = people.platform.request(handler, **path, **claims)
    assert (status, body["code"]) == (403, "not_your_user")
    assert people.platform.request(handler, pathParameters={"user_id": "bob"}, **claims)[0] in (200, 202)
    assert people.messages()[0]["body"].count(key_of("bob")) == 1


def test_a_receipt_that_there_is_not_is_unknown(people: People) -> None:
    for wrong in ("0" * 32, "x", "../ledger", ""):
        status, body = people.platform.request(get_erasure, pathParameters={"erasure_id": wrong})
        assert (status, body["code"]) == (404, "unknown_erasure")


def test_a_request_that_others_queue_is_worked_off_whole(people: People) -> None:
    people.fill("ann", "bob")
    client = boto3.client("sqs")
    request = ErasureRequest(key_of("ann"), int(datetime.now(UTC).timestamp()) + 1)
    SqsErasureQueue(client, client.get_queue_url(QueueName="erasures")["QueueUrl"]).send(request)
    people.work()
    assert people.traces("ann") == STONES
    assert people.traces("bob").keys() >= {"PROFILE", "LIST", "events"}
    receipt = people.receipt(erasure_id(request))
    assert receipt["status"] == "complete"
    assert {row["store"] for row in receipt["stores"] if row["removed"]} == STORES
