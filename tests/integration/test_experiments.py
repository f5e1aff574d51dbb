"""Experiments through the real handlers, with AppConfig's two calls answered over HTTP."""

import json
from base64 import b64encode
from typing import Any

import boto3
import pytest

from container import END
from factories import lambda_of
from functions.get_recommendations.handler import handler as get_recommendations
from functions.run_training_step.handler import handler as run_training_step
from functions.validate_experiments.handler import handler as validate_experiments
from infrastructure.definitions import as_json, read_definitions
from integration.conftest import CONTEXT, Platform
from personalization.errors import InvalidInput, Unavailable

TRYING = {
    "experiments": [
        {
            "name": "older",
            "surface": "home",
            "variants": [{"name": "now", "weight": 0.5}, {"name": "before", "weight": 0.5, "model": "v0"}],
        }
    ]
}


def ask(platform: Platform, *, caller: dict[str, Any] | None = None, **parameters: str) -> tuple[int, Any]:
    return platform.request(
        get_recommendations,
        pathParameters={"user_id": "ann"},
        queryStringParameters=parameters or None,
        requestContext={"authorizer": caller or {"iam": {}}},
    )


def test_an_answer_names_the_variant_it_counts_for(platform: Platform) -> None:
    status, answer = ask(platform)
    (shipped,) = read_definitions().experiments
    (assignment,) = answer["assignments"]
    assert (status, answer["experiments"]) == (200, "in_force")
    assert assignment["experiment"] == shipped.name
    assert assignment["variant"] in {variant.name for variant in shipped.variants}
    assert "forced" not in answer


def test_a_backend_may_force_a_variant_which_then_counts_for_nothing(platform: Platform) -> None:
    for variant in ("covisitation", "model"):
        status, answer = ask(platform, variant=f"home-ranking:{variant}")
        assert (status, answer["assignments"]) == (200, [])
        assert answer["forced"] == [{"experiment": "home-ranking", "variant": variant}]


def test_an_app_may_not_force_a_variant(platform: Platform) -> None:
    _, answer = ask(platform, caller={"jwt": {"claims": {"sub": "ann"}}}, variant="home-ranking:model")
    assert "forced" not in answer
    assert answer["assignments"] == ask(platform)[1]["assignments"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"variant": "home-ranking:sideways"}, "there is no home-ranking:sideways"),
        ({"variant": "model"}, "there is no model:"),
        ({"session_id": "a b"}, "session_id has 1 to 128 visible ASCII characters"),
        ({"session_id": "x" * 129}, "session_id has"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    platform: Platform, parameters: dict[str, str], reason: str
) -> None:
    status, answer = ask(platform, **parameters)
    assert (status, answer["code"]) == (400, "invalid_parameter")
    assert reason in answer["detail"]


def test_a_cold_start_without_appconfig_serves_the_defaults_and_says_so(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.app_config.failing = True
    status, answer = ask(platform)
    assert (status, answer["assignments"], answer["experiments"]) == (200, [], "unavailable")
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [1.0] in [row.get("ExperimentsUnread") for row in counted]


def test_a_night_keeps_the_experiments_it_began_with(platform: Platform) -> None:
    store = boto3.client("s3")
    for name in ("manifest.json", "tables/items.json"):
        store.put_object(Bucket="models", Key=f"models/v0/{name}", Body=name.encode())
    platform.app_config.deploy(json.dumps(TRYING))
    keep("tonight")
    first = kept("tonight")
    assert json.loads(first["experiments/experiments.json"])["experiments"][0]["name"] == "older"
    assert json.loads(first["tried/tried.json"]) == {"version": "v0"}
    assert first.keys() >= {"tried/manifest.json", "tried/tables/items.json"}
    platform.app_config.deploy(as_json(read_definitions()))
    keep("tonight")
    assert kept("tonight") == first
    keep("tomorrow")
    assert json.loads(kept("tomorrow")["tried/tried.json"]) == {"version": None}


def test_a_night_in_a_warm_container_knows_experiments_that_did_not_change(platform: Platform) -> None:
    platform.app_config.deploy(json.dumps(TRYING))
    keep("tonight")
    keep("tomorrow")
    name = "experiments/experiments.json"
    assert kept("tomorrow")[name] == kept("tonight")[name] != b"{}"


def test_a_night_does_not_begin_without_knowing_the_experiments(platform: Platform) -> None:
    platform.app_config.failing = True
    with pytest.raises(Unavailable):
        keep("tonight")
    assert kept("tonight") == {}


def keep(run_id: str) -> None:
    event = {"step": "champion", "run_id": run_id, "now": END.isoformat(), "shard_count": 1}
    run_training_step(event, lambda_of())


def kept(run_id: str) -> dict[str, bytes]:
    found = boto3.resource("s3").Bucket("models").objects.filter(Prefix=f"runs/{run_id}/")
    return {row.key.removeprefix(f"runs/{run_id}/"): row.get()["Body"].read() for row in found}


def to_validate(content: str) -> dict[str, str]:
    return {"content": b64encode(content.encode()).decode(), "configurationVersion": "3"}


def test_the_validator_lets_through_what_readers_can_read() -> None:
    validate_experiments(to_validate(as_json(read_definitions())), CONTEXT)


@pytest.mark.parametrize("content", ["", "{", '{"experiments": [{"name": "x"}]}'])
def test_the_validator_says_what_is_wrong_with_anything_else(content: str) -> None:
    with pytest.raises(InvalidInput, match="invalid_experiments: "):
        validate_experiments(to_validate(content), CONTEXT)
