"""From a client's request to profile, lake, queue and answer, through the real handlers, on moto."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import boto3
import pytest

from factories import client_event, delivered, listed
from functions.archive_events.handler import handler as archive_events
from functions.archive_exposures.handler import handler as archive_exposures
from functions.get_recommendations.handler import handler as get_recommendations
from functions.get_trending.handler import handler as get_trending
from functions.ingest_events.handler import handler as ingest_events
from functions.put_items.handler import handler as put_items
from functions.update_profiles.handler import handler as update_profiles
from integration.conftest import CONTEXT, Platform
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.archiving import read_events
from personalization.exposures import decode_exposure, read_exposures
from personalization.identity import user_key
from personalization.ports import ActiveModel
from personalization.runtime.observability import logger
from personalization.tokens import verify

ANN = user_key(b"user-key-secret", "ann")
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def now() -> str:
    return datetime.now(UTC).isoformat()


def post(platform: Platform, *events: dict[str, object], **request: object) -> tuple[int, dict]:
    return platform.request(ingest_events, body=json.dumps(events), **request)


def fetch(
    platform: Platform, user_id: str = "ann", headers: dict[str, str] | None = None, **parameters: str
) -> tuple[int, dict]:
    return platform.request(
        get_recommendations,
        pathParameters={"user_id": user_id},
        queryStringParameters=parameters or None,
        headers=headers or {},
    )


def series(out: str, metric: str) -> list[dict]:
    """EMF lines that carry a metric."""
    rows = [json.loads(line) for line in out.splitlines() if '"_aws"' in line]
    return [row for row in rows if metric in row]


def publish(*, trending: list[str]) -> None:
    store = DynamoListStore(boto3.client("dynamodb"), "table")
    key = keys.segment_key(keys.TRENDING, version="v1")
    store.write_list(key, listed(*trending), expires_at=4_000_000_000)
    store.activate(ActiveModel("v1", None, 0))


def test_an_event_reaches_profile_and_lake_and_queues_a_refresh(platform: Platform) -> None:
    status, answer = post(platform, client_event(occurred_at=now()), client_event("teleport"))
    assert status == 202
    assert answer["accepted"] == 1
    assert [(row["index"], row["code"]) for row in answer["rejected"]] == [(1, "invalid_field")]

    batch = platform.stream_batch()
    assert update_profiles(batch, CONTEXT) == {"batchItemFailures": []}
    assert archive_events(batch, CONTEXT) == {"batchItemFailures": []}

    profile = DynamoProfileStore(boto3.client("dynamodb"), "table").load([ANN])[ANN].profile
    assert list(profile.recent) == ["sku-1"]
    assert platform.queued() == [{"user_key": ANN, "surfaces": [], "builds": []}]
    s3 = boto3.client("s3")
    (found,) = s3.list_objects_v2(Bucket="lake", Prefix="events/")["Contents"]
    body = gzip.decompress(s3.get_object(Bucket="lake", Key=found["Key"])["Body"].read())
    assert [event.user_key for event in read_events(body.splitlines())] == [ANN]


def test_a_body_in_base64_is_read(platform: Platform) -> None:
    body = b64encode(json.dumps(client_event(occurred_at=now())).encode()).decode()
    status, answer = platform.request(ingest_events, body=body, isBase64Encoded=True)
    assert (status, answer["accepted"]) == (202, 1)


@pytest.mark.parametrize(
    ("request_fields", "status", "code"),
    [
        ({"body": "nonsense"}, 400, "invalid_json"),
        ({}, 400, "invalid_json"),
        ({"body": "%%%", "isBase64Encoded": True}, 400, "invalid_body"),
        ({"body": " " * (5 * 1024 * 1024 + 1)}, 413, "body_too_large"),
    ],
)
def test_a_broken_request_gets_problem_details(
    platform: Platform, request_fields: dict[str, object], status: int, code: str
) -> None:
    answered, problem = platform.request(ingest_events, **request_fields)
    assert (answered, problem["code"], problem["request_id"]) == (status, code, "request-1")


def test_a_click_counts_for_the_variant_that_was_shown(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(trending=["sku-1", "sku-2"])
    _, answer = fetch(platform)
    assert (answer["source"], answer["model_version"]) == ("trending", "v1")
    (assignment,) = answer["assignments"]
    receipt = {"recommendation_id": answer["recommendation_id"], "occurred_at": now()}
    post(
        platform,
        client_event("impression", event_id="i", item_ids=["sku-1", "sku-2"], **receipt),
        client_event("click", event_id="c", item_id="sku-2", **receipt),
        client_event("click", event_id="d", item_id="sku-2", user_id="eve", **receipt),
    )
    capsys.readouterr()
    batch = platform.stream_batch()
    update_profiles(batch, CONTEXT)
    update_profiles(batch, CONTEXT)
    out = capsys.readouterr().out
    counted = [(row["Impressions"], row.get("Variant")) for row in series(out, "Impressions")]
    assert counted == [([2.0], None), ([2.0], assignment["variant"])]
    assert [row["Clicks"] for row in series(out, "Clicks")] == [[1.0], [1.0]]
    assert sum(row["EventsApplied"][0] for row in series(out, "EventsApplied")) == 3


def test_a_purchase_counts_as_a_conversion_with_its_revenue_and_seconds_are_seconds(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(trending=["sku-1", "sku-2"])
    _, answer = fetch(platform)
    receipt = {"recommendation_id": answer["recommendation_id"], "occurred_at": now()}
    post(
        platform,
        client_event("purchase", event_id="p", item_id="sku-1", value=19.5, **receipt),
        client_event("purchase", event_id="q", item_id="sku-2", value=0.5, **receipt),
        client_event("dwell", event_id="d", item_id="sku-2", value=42.0, **receipt),
    )
    capsys.readouterr()
    update_profiles(platform.stream_batch(), CONTEXT)
    out = capsys.readouterr().out
    for metric, unit, total in (
        ("Conversions", "Count", 2.0),
        ("Revenue", "None", 20.0),
        ("Dwell", "Seconds", 42.0),
    ):
        of_surface, of_variant = series(out, metric)
        assert (of_surface[metric], of_variant[metric]) == ([total], [total])
        assert {"Name": metric, "Unit": unit} in of_variant["_aws"]["CloudWatchMetrics"][0]["Metrics"]


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the functions log, line by line as CloudWatch gets it."""
    (handler,) = logger.handlers
    written = StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def test_a_line_that_is_no_exposure_is_set_aside_with_its_reason(platform: Platform) -> None:
    archive_exposures(delivered('{"message":"exposure","exposure":{}}'), CONTEXT)
    (found,) = boto3.client("s3").list_objects_v2(Bucket="lake", Prefix="quarantine/exposures/")["Contents"]
    assert found["Size"] > 0


def test_an_answer_leaves_an_exposure_that_the_log_brings_to_the_lake(
    platform: Platform, log: StringIO
) -> None:
    publish(trending=["sku-1"])
    _, answer = fetch(platform, surface="product")
    fetch(platform, headers={"user-agent": CRAWLER})
    lines = log.getvalue().splitlines()
    assert len(lines) == 2
    assert not any("ann" in json.dumps(json.loads(line)["exposure"]) for line in lines)
    archive_exposures(delivered(*lines), CONTEXT)

    s3 = boto3.client("s3")
    (found,) = s3.list_objects_v2(Bucket="lake", Prefix="exposures/")["Contents"]
    body = gzip.decompress(s3.get_object(Bucket="lake", Key=found["Key"])["Body"].read())
    assert [decode_exposure(line).bot for line in body.splitlines()] == [False, True]
    (exposure,) = read_exposures(body.splitlines()[:1])
    receipt = verify(b"token-secret", answer["recommendation_id"], user_key=ANN, now=datetime.now(UTC))
    assert (exposure.user_key, exposure.surface, exposure.list_id) == (ANN, "product", receipt.list_id)
    assert (exposure.source, exposure.model_version) == ("trending", "v1")
    assert int(exposure.at.timestamp()) == receipt.issued_at


def test_a_catalogue_change_takes_an_item_out_of_answers(platform: Platform) -> None:
    publish(trending=["sku-1", "sku-2"])
    body = json.dumps([{"item_id": "sku-1", "title": "Lamp", "available": False}])
    status, answer = platform.request(put_items, body=body)
    assert (status, answer) == (202, {"accepted": 1, "rejected": []})
    update_profiles(platform.stream_batch(), CONTEXT)
    _, trending = platform.request(get_trending, queryStringParameters={"limit": "5"})
    assert [item["item_id"] for item in trending["items"]] == ["sku-2"]


@pytest.mark.parametrize("referrer", ["search", "https://www.bing.com/search?q=a+secret"])
def test_a_visitor_who_is_not_known_gets_the_list_of_where_they_come_from(
    platform: Platform, referrer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(trending=["sku-1"])
    store = DynamoListStore(boto3.client("dynamodb"), "table")
    key = keys.segment_key("referrer=search", version="v1")
    store.write_list(key, listed("sku-2"), expires_at=4_000_000_000)
    status, answer = fetch(platform, "nobody", referrer=referrer, device="mobile")
    assert (status, answer["source"]) == (200, "segment")
    assert [item["item_id"] for item in answer["items"]] == ["sku-2"]
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "0"},
        {"limit": "51"},
        {"limit": "x"},
        {"limit": "\u0663"},
        {"limit": "0050999"},
        {"limit": "0001" + "9" * 5_000},
        {"surface": "A B"},
        {"country": "DEU"},
    ],
)
def test_a_broken_parameter_is_named(platform: Platform, parameters: dict[str, str]) -> None:
    status, problem = fetch(platform, **parameters)
    assert (status, problem["code"]) == (400, "invalid_parameter")
    assert next(iter(parameters)) in problem["detail"]


@pytest.mark.parametrize("user_id", ["", "x" * 129, "a%00b"])
def test_a_broken_user_id_is_refused(platform: Platform, user_id: str) -> None:
    status, problem = fetch(platform, user_id)
    assert (status, problem["code"]) == (400, "invalid_user_id")


def test_an_answer_before_anything_is_published_is_empty_and_says_so(platform: Platform) -> None:
    status, answer = fetch(platform, "nobody")
    assert (status, answer["items"], answer["source"]) == (200, [], "none")


def test_an_unexpected_fault_is_a_500_that_leaks_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "no-such-table")
    status, problem = fetch(platform)
    assert (status, problem["code"]) == (500, "internal_error")
    assert "no-such-table" not in json.dumps(problem)
