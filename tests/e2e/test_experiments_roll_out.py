"""Definitions of experiments on the local AWS: checked by their Lambda, and undone by an alarm."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.waiting import eventually
from infrastructure.definitions import as_json, read_definitions
from infrastructure.local.lifecycle import LocalAws


def function_named(platform: LocalAws, part: str) -> str:
    pages = platform.client("lambda").get_paginator("list_functions").paginate()
    names = [row["FunctionName"] for page in pages for row in page["Functions"]]
    (name,) = [name for name in names if part in name]
    return name


@pytest.mark.parametrize(("content", "is_fine"), [(as_json(read_definitions()), True), ("{}x", False)])
def test_the_deployed_validator_judges_as_synthesis_does(
    platform: LocalAws, content: str, is_fine: bool
) -> None:
    answer = platform.client("lambda").invoke(
        FunctionName=function_named(platform, "ValidateExperiments"),
        Payload=json.dumps({"content": b64encode(content.encode()).decode()}),
    )
    assert ("FunctionError" not in answer) is is_fine
    assert is_fine or "invalid_experiments" in json.loads(answer["Payload"].read())["errorMessage"]


def test_an_alarm_in_the_bake_time_takes_a_deployment_back(
    platform: LocalAws, baking: dict[str, Any]
) -> None:
    alarms = platform.client("cloudwatch")
    monitors = baking["environment"]["Monitors"]
    (unread,) = [row["AlarmArn"] for row in monitors if "ExperimentsUnread" in row["AlarmArn"]]
    name = unread.partition(":alarm:")[2]
    try:
        alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
        eventually(lambda: state_of(platform, baking), lambda state: state == "ROLLED_BACK")
    finally:
        alarms.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")


@pytest.fixture
def baking(platform: LocalAws) -> Iterator[dict[str, Any]]:
    """A deployment of the definitions that are in force anyway, in its bake time."""
    client = platform.client("appconfig")
    (application,) = [row["Id"] for row in client.list_applications()["Items"]]
    (environment,) = client.list_environments(ApplicationId=application)["Items"]
    (profile,) = [row["Id"] for row in client.list_configuration_profiles(ApplicationId=application)["Items"]]
    strategy = client.create_deployment_strategy(
        Name="long bake", DeploymentDurationInMinutes=0, GrowthFactor=100, FinalBakeTimeInMinutes=60
    )["Id"]
    deployment = client.start_deployment(
        ApplicationId=application,
        EnvironmentId=environment["Id"],
        ConfigurationProfileId=profile,
        ConfigurationVersion="1",
        DeploymentStrategyId=strategy,
    )
    assert deployment["State"] == "BAKING"
    yield {**deployment, "environment": environment}
    client.delete_deployment_strategy(DeploymentStrategyId=strategy)


def state_of(platform: LocalAws, deployment: dict[str, Any]) -> str:
    return platform.client("appconfig").get_deployment(
        ApplicationId=deployment["ApplicationId"],
        EnvironmentId=deployment["EnvironmentId"],
        DeploymentNumber=deployment["DeploymentNumber"],
    )["State"]
