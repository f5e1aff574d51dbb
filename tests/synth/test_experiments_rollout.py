"""Experiments reach everybody at once, after the validator, under alarms that take them back."""

import json

from infrastructure.definitions import read_definitions
from personalization.adapters.appconfig import Address
from personalization.definitions import parse_definitions
from tests.synth.assembly import Assembly


def test_what_is_deployed_is_what_is_written(assembly: Assembly) -> None:
    version = assembly.one("AWS::AppConfig::HostedConfigurationVersion")
    assert version.properties["ContentType"] == "application/json"
    assert parse_definitions(version.properties["Content"].encode()) == read_definitions()
    assert version.body["UpdateReplacePolicy"] == "Retain"


def test_definitions_are_deployed_at_once_and_bake_as_long_as_the_environment_says(
    assembly: Assembly,
) -> None:
    strategy = assembly.one("AWS::AppConfig::DeploymentStrategy").properties
    assert (strategy["DeploymentDurationInMinutes"], strategy["GrowthFactor"]) == (0, 100)
    assert strategy["FinalBakeTimeInMinutes"] == assembly.environment.experiment_bake_minutes
    deployment = assembly.one("AWS::AppConfig::Deployment").properties
    assert deployment["ConfigurationVersion"] == {
        "Ref": assembly.one("AWS::AppConfig::HostedConfigurationVersion").logical_id
    }


def test_errors_low_click_rates_and_unread_definitions_take_a_deployment_back(assembly: Assembly) -> None:
    monitors = assembly.one("AWS::AppConfig::Environment").properties["Monitors"]
    watched = json.dumps([monitor["AlarmArn"] for monitor in monitors])
    assert all(name in watched for name in ("ServerErrors", "ClickRate", "ExperimentsUnread"))
    assert len(monitors) <= 5


def test_the_validator_is_asked_and_may_be(assembly: Assembly) -> None:
    validator = assembly.lambdas["validate_experiments"].resource.logical_id
    (asked,) = assembly.one("AWS::AppConfig::ConfigurationProfile").properties["Validators"]
    assert asked == {"Type": "LAMBDA", "Content": {"Fn::GetAtt": [validator, "Arn"]}}
    callers = [
        permission.properties["Principal"]
        for permission in assembly.of_type("AWS::Lambda::Permission")
        if permission.properties["FunctionName"] == {"Fn::GetAtt": [validator, "Arn"]}
    ]
    assert callers == ["appconfig.amazonaws.com"]


def test_readers_name_the_environment_that_is_made_for_them(assembly: Assembly) -> None:
    name = assembly.one("AWS::AppConfig::Environment").properties["Name"]
    assert name == assembly.environment.name
    for reader in ("get_recommendations", "refresh_recommendations", "run_training_step"):
        parts = assembly.lambdas[reader].variables["EXPERIMENTS_ADDRESS"]["Fn::Join"][1]
        told = "".join(part if isinstance(part, str) else str(part["Fn::ImportValue"]) for part in parts)
        address = Address.parse(told)
        assert "Application" in address.application
        assert address.environment == name
        assert "Profile" in address.profile


def test_the_defaults_are_known_where_no_experiment_can_be_read(assembly: Assembly) -> None:
    told = assembly.lambdas["get_recommendations"].variables["DEFAULT_TREATMENTS"]
    assert parse_definitions(told.encode()).defaults == read_definitions().defaults
