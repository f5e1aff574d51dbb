"""Experiments on moto: from exposures and events in the lake to table, API and CloudWatch."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import boto3
import pytest

from contracts.conftest import TABLE
from experiment_lake import ExperimentLake
from factories import lambda_of
from functions.analyze_experiments.handler import AnalysisFailedError, UnknownExperimentError
from functions.analyze_experiments.handler import handler as analyze
from functions.get_experiment.handler import handler as get_experiment
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.adapters.lake import S3Lake
from personalization.errors import Conflict
from personalization.keys import experiment_state

EXPERIMENT = "home-ranking"
CONTROL, TREATMENT = "covisitation", "model"
CONTEXT = SimpleNamespace(aws_request_id="request-1")


@pytest.fixture
def shop(platform, monkeypatch) -> ExperimentLake:
    monkeypatch.setattr("experiment_lake.EXPERIMENT", EXPERIMENT)
    return ExperimentLake(S3Lake(boto3.client("s3"), "lake"), secret=b"token-secret")


def visits(shop: ExperimentLake, users: int, *, first: int = 0) -> None:
    at = datetime.now(UTC) - timedelta(minutes=30)
    for user in range(first, first + users):
        variant = TREATMENT if user % 2 else CONTROL
        shop.visit(f"user-{user}", variant, at, clicks=1 + (user % 4 if user % 2 else 0))
    shop.flush()


def test_what_users_saw_and_did_becomes_results_metrics_and_an_answer(platform, shop, capsys, caplog) -> None:
    visits(shop, 200)
    answer = analyze({}, lambda_of())
    (brief,) = answer["experiments"]
    assert (answer["objects"], answer["left"], brief["users"]) == (2, 0, 200)
    (logged,) = [record for record in caplog.records if record.getMessage() == "verdict"]
    assert vars(logged)["verdict"] == brief["verdict"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    written = {
        metric["Name"]: (line[metric["Name"]], line.get("Experiment"), line.get("Variant"))
        for line in lines
        if "_aws" in line
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert written.keys() == {
        "ExperimentLift",
        "ExperimentLiftLow",
        "ExperimentLiftHigh",
        "ExperimentPValue",
        "SampleRatioPValue",
    }
    (lift,), experiment, variant = written["ExperimentLift"]
    assert (experiment, variant) == (EXPERIMENT, TREATMENT)
    status, body = platform.request(get_experiment, pathParameters={"name": EXPERIMENT})
    assert status == 200
    by_name = {row["name"]: row for row in body["variants"]}
    assert by_name[CONTROL]["clicks"] == 100
    assert by_name[TREATMENT]["clicks"] == 300
    assert lift == pytest.approx(100 * by_name[TREATMENT]["comparisons"][0]["lift"])
    status, body = platform.request(get_experiment)
    assert [row["experiment"] for row in body["experiments"]] == [EXPERIMENT]


def test_results_rest_in_the_lake_as_one_line_of_json_a_day(platform, shop) -> None:
    visits(shop, 10)
    analyze({"experiment": EXPERIMENT}, lambda_of())
    analyze({"experiment": EXPERIMENT}, lambda_of())
    client = boto3.client("s3")
    (found,) = client.list_objects_v2(Bucket="lake", Prefix="experiments/results/")["Contents"]
    assert found["Key"] == f"experiments/results/date={datetime.now(UTC):%Y-%m-%d}/{EXPERIMENT}.json"
    body = client.get_object(Bucket="lake", Key=found["Key"])["Body"].read()
    assert body.endswith(b"\n")
    assert json.loads(body)["users"] == 10


def test_the_next_hour_reads_what_came_since(platform, shop) -> None:
    visits(shop, 10)
    assert analyze({}, lambda_of())["objects"] == 2
    assert analyze({}, lambda_of())["objects"] == 0
    visits(shop, 6, first=10)
    answer = analyze({}, lambda_of())
    assert (answer["objects"], answer["experiments"][0]["users"]) == (2, 16)


def test_a_state_is_written_over_by_nobody_who_has_not_read_it(platform) -> None:
    lake = S3Lake(boto3.client("s3"), "lake")
    assert lake.load("k") is None
    tag = lake.save("k", b"1", instead_of=None)
    with pytest.raises(Conflict):
        lake.save("k", b"2", instead_of=None)
    assert lake.load("k") == (b"1", tag)
    newer = lake.save("k", b"2", instead_of=tag)
    with pytest.raises(Conflict):
        lake.save("k", b"3", instead_of=tag)
    with pytest.raises(Conflict):
        lake.save("absent", b"3", instead_of=tag)
    assert lake.load("k") == (b"2", newer)


def test_more_objects_than_a_listing_holds_are_read_in_order(platform) -> None:
    lake = S3Lake(boto3.client("s3"), "lake")
    for number in range(1_005):
        lake.put(f"many/{number:04}", str(number).encode())
    keys = [key for key, _ in lake.listing("many/")]
    assert len(keys) == 1_005
    assert list(lake.bodies(keys[:40])) == [str(number).encode() for number in range(40)]


def test_an_analysis_that_fails_tells_so_after_the_others(platform, shop) -> None:
    S3Lake(boto3.client("s3"), "lake").put(experiment_state(EXPERIMENT), b"damaged")
    with pytest.raises(AnalysisFailedError, match=f"{EXPERIMENT}: the state can't be read"):
        analyze({}, lambda_of())


def test_an_experiment_that_is_not_defined_is_refused_with_those_that_are(platform) -> None:
    with pytest.raises(UnknownExperimentError, match=f"defined are {EXPERIMENT}"):
        analyze({"experiment": "other"}, lambda_of())


@pytest.mark.parametrize(
    ("name", "code"),
    [(EXPERIMENT, "not_analyzed_yet"), ("other", "unknown_experiment"), ("x" * 5_000, "unknown_experiment")],
)
def test_an_experiment_without_results_is_not_found_and_told_why(platform, name: str, code: str) -> None:
    status, body = platform.request(get_experiment, pathParameters={"name": name})
    assert (status, body["code"]) == (404, code)


def test_of_nothing_there_is_an_empty_list(platform) -> None:
    assert platform.request(get_experiment) == (200, {"experiments": []})
    assert DynamoExperimentStore(boto3.client("dynamodb"), TABLE).analyzed() == []
