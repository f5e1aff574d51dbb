"""The data of the console, read by the deployed handler over moto."""

import json
from collections.abc import Iterator

import boto3
import pytest

from console_site import ALARM, CONTEXT, HOSTILE, RUNBOOK, SECRET, Site, get, running_site
from contracts.conftest import TABLE
from functions.get_console_data.handler import handler
from personalization import keys
from personalization.identity import user_key


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def test_alarms_are_those_of_this_environment_with_title_and_runbook(site: Site) -> None:
    site.set_alarm(ALARM, "ALARM", "0.4 < 1")
    first, *others = get("alarms")["alarms"]
    assert (first["name"], first["state"], first["reason"]) == (ALARM, "ALARM", "0.4 < 1")
    assert (first["title"], first["runbook"]) == ("Click rate home ranking model", RUNBOOK)
    assert len(others) == 2
    assert all("attune-test-" in one["name"] for one in others)


def test_click_rates_are_the_sums_of_what_update_profiles_counted(site: Site) -> None:
    answer = get("click-rates", hours="1")
    assert answer["period_seconds"] == 300
    covisitation, model = answer["variants"]
    assert (covisitation["surface"], covisitation["experiment"]) == ("home", "home-ranking")
    for rate in (covisitation, model):
        assert 10 <= len(rate["points"]) <= 12
        assert rate["impressions"] == sum(point["impressions"] for point in rate["points"]) > 4_000
        assert rate["interval"][0] < rate["rate"] < rate["interval"][1]
    assert model["rate"] > covisitation["rate"]
    assert get("click-rates", hours="0", status=400)["code"] == "invalid_parameter"


def test_experiments_come_with_their_results_and_unreadable_results_count_as_none(site: Site) -> None:
    (experiment,) = get("experiments")["experiments"]
    assert experiment["results"]["decision"] == "ship"
    assert [variant["name"] for variant in experiment["variants"]] == ["covisitation", "model"]
    pk, sk = keys.experiment_key("home-ranking")
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    table = boto3.client("dynamodb")
    before = table.get_item(TableName=TABLE, Key=key)["Item"]
    table.put_item(TableName=TABLE, Item={**key, "data": {"B": b"not results"}})
    try:
        assert get("experiments")["experiments"][0]["results"] is None
    finally:
        table.put_item(TableName=TABLE, Item=before)


def test_models_are_listed_newest_first_with_their_state_and_quality(site: Site) -> None:
    answer = get("models")
    assert answer["active"]["version"] == "nightly-0115"
    assert [(one["version"], one["state"]) for one in answer["versions"]] == [
        ("nightly-0115", "in service"),
        ("nightly-0114", "before"),
        ("nightly-0113", ""),
    ]
    assert answer["versions"][0]["quality"]["ndcg"]["model"] == pytest.approx(0.1204)


def test_a_model_whose_files_are_not_complete_is_no_model(site: Site) -> None:
    boto3.client("s3").put_object(Bucket="models", Key="models/half/metadata.json", Body=b"{")
    assert len(get("models")["versions"]) == 3


def test_a_user_is_shown_by_variant_with_their_profile(site: Site) -> None:
    answer = get("users/{user_id}", user_id="ann", surface="home", limit="3")
    assert [len(variant["items"]) for variant in answer["variants"]] == [3, 3]
    (served,) = [variant for variant in answer["variants"] if variant["served"]]
    assert served["variant"] in {row[1] for row in answer["assignments"]}
    titles = {act["title"] for act in answer["profile"]["recent"]}
    assert {"Brass desk lamp", HOSTILE} <= titles
    assert "ann" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("user_id", "query", "code"),
    [
        ("", {}, "invalid_user_id"),
        ("x" * 129, {}, "invalid_user_id"),
        ("a%00b", {}, "invalid_user_id"),
        ("ann", {"surface": "HOME!"}, "invalid_parameter"),
        ("ann", {"limit": "51"}, "invalid_parameter"),
    ],
)
def test_bad_questions_are_refused_with_a_reason(
    site: Site, user_id: str, query: dict[str, str], code: str
) -> None:
    assert get("users/{user_id}", user_id=user_id, status=400, **query)["code"] == code


def test_who_looks_at_whom_is_logged_by_pseudonym(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    claims = {"username": "olga@example.com", "scope": "openid attune/admin"}
    caplog.set_level("INFO")
    handler(
        {
            "routeKey": "GET /v1/admin/users/{user_id}",
            "headers": {},
            "pathParameters": {"user_id": "ann"},
            "requestContext": {"authorizer": {"jwt": {"claims": claims}}},
        },
        CONTEXT,
    )
    (line,) = [vars(record) for record in caplog.records if "looked at a user" in record.message]
    assert line["operator"] == "olga@example.com"
    assert line["user_key"] == user_key(SECRET.encode(), "ann")
    assert "ann" not in line.values()
