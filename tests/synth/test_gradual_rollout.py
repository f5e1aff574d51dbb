"""Every caller calls an alias; in `prod` a new version of what people wait for serves a few calls first."""

import dataclasses
import re
from typing import Any

import pytest

from infrastructure.environments import ENVIRONMENTS, LOCAL, PROD, as_asked
from infrastructure.errors import UnknownRolloutError, UnsupportedRolloutError
from infrastructure.fields import Rollout
from infrastructure.local.alarms import judge, queries
from tests.synth.assembly import Assembly, Resource

CALLED_BY_DEPLOYMENTS = {"validate_experiments", "build_image"}
"""What checks or builds what is being deployed is itself of that deployment."""


def callers(assembly: Assembly) -> dict[str, str]:
    """What calls a function, and how the template names whom it calls."""
    found = {}
    for type_, read in {
        "AWS::ApiGatewayV2::Integration": lambda row: row["IntegrationUri"],
        "AWS::Lambda::EventSourceMapping": lambda row: row["FunctionName"],
        "AWS::Logs::SubscriptionFilter": lambda row: row["DestinationArn"],
        "AWS::Scheduler::Schedule": lambda row: row["Target"]["Arn"],
        "AWS::Events::Rule": lambda row: [target["Arn"] for target in row["Targets"]],
        "AWS::StepFunctions::StateMachine": lambda row: row["DefinitionString"],
        "AWS::Lambda::EventInvokeConfig": lambda row: row["Qualifier"],
    }.items():
        for row in assembly.of_type(type_):
            found[row.logical_id] = str(read(row.properties))
    widgets = [str(board.properties) for board in assembly.of_type("AWS::CloudWatch::Dashboard")]
    found |= {f"widget {n}": text for n, text in enumerate(widgets) if "ShowExperiments" in text}
    return found


def test_whatever_calls_a_function_calls_the_alias_of_the_version_that_serves(assembly: Assembly) -> None:
    functions = {row.resource.logical_id for row in assembly.lambdas.values()}
    for caller, whom in callers(assembly).items():
        assert not [function for function in functions if function in whom], caller
        assert "Live" in whom or whom == "live" or "Workflow" in whom, caller
    assert len(callers(assembly)) > 20


def test_every_function_that_something_calls_has_an_alias_of_its_current_version(assembly: Assembly) -> None:
    aliases = assembly.of_type("AWS::Lambda::Alias")
    assert {alias.properties["Name"] for alias in aliases} == {"live"}
    aliased = {alias.properties["FunctionName"]["Ref"] for alias in aliases}
    everything = {name: row.resource.logical_id for name, row in assembly.lambdas.items()}
    expected = {id_ for name, id_ in everything.items() if name not in CALLED_BY_DEPLOYMENTS}
    assert aliased == expected
    for alias in aliases:
        (version, attribute) = alias.properties["FunctionVersion"]["Fn::GetAtt"]
        assert version.startswith(alias.properties["FunctionName"]["Ref"][:-8])
        assert attribute == "Version"


def test_who_may_call_may_call_the_alias_and_nothing_else(assembly: Assembly) -> None:
    for permission in assembly.of_type("AWS::Lambda::Permission"):
        if permission.properties["Principal"] != "appconfig.amazonaws.com":
            assert "Live" in str(permission.properties["FunctionName"]), permission.logical_id
    for policy in assembly.of_type("AWS::IAM::Policy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            if "lambda:InvokeFunction" in str(statement["Action"]):
                assert "Live" in str(statement["Resource"]), policy.logical_id


def test_a_route_calls_a_function_only_once_it_may(assembly: Assembly) -> None:
    for integration in assembly.of_type("AWS::ApiGatewayV2::Integration"):
        (needed,) = integration.body["DependsOn"]
        permissions = {row.logical_id: row for row in assembly.of_type("AWS::Lambda::Permission")}
        assert permissions[needed].properties["FunctionName"] == integration.properties["IntegrationUri"]


def test_what_people_or_the_stream_wait_for_is_rolled_out_gradually_where_the_environment_wants_it(
    assembly: Assembly,
) -> None:
    wanted = assembly.environment.rollout
    groups = {row.logical_id: row for row in assembly.of_type("AWS::CodeDeploy::DeploymentGroup")}
    assert bool(groups) is (wanted is not Rollout.AT_ONCE) is (assembly.environment.name == "prod")
    called = [row.properties["IntegrationUri"] for row in assembly.of_type("AWS::ApiGatewayV2::Integration")]
    called += [row.properties["FunctionName"] for row in assembly.of_type("AWS::Lambda::EventSourceMapping")]
    authorizers = assembly.of_type("AWS::ApiGatewayV2::Authorizer")
    called += [row.properties["AuthorizerUri"] for row in authorizers if "AuthorizerUri" in row.properties]
    for alias in assembly.of_type("AWS::Lambda::Alias"):
        policy = alias.body.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate")
        if not groups or alias.logical_id not in str(called):
            assert policy is None, alias.logical_id
            continue
        group = groups[policy["DeploymentGroupName"]["Ref"]]
        assert group.properties["DeploymentConfigName"] == f"CodeDeployDefault.{wanted}"
        assert group.properties["AlarmConfiguration"]["Enabled"] is True
        assert group.properties["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group.properties["AutoRollbackConfiguration"]["Events"]
        assert len(watched(assembly, group)) >= 2


def watched(assembly: Assembly, group: Resource) -> dict[str, dict[str, Any]]:
    """The alarms of a group, as DescribeAlarms would show them, by kind."""
    names = [row["Name"]["Ref"] for row in group.properties["AlarmConfiguration"]["Alarms"]]
    found = {
        alarm.logical_id: {"StateValue": "OK", **alarm.properties}
        for alarm in assembly.of_type("AWS::CloudWatch::Alarm")
        if alarm.stack == group.stack
    }
    return {re.sub(r".*Rollout|[0-9A-F]{8}$", "", name): found[name] for name in names}


def of(prod: Assembly, function: str) -> dict[str, dict[str, Any]]:
    (group,) = [
        row
        for row in prod.of_type("AWS::CodeDeploy::DeploymentGroup")
        if row.logical_id.startswith(f"{function}Rollout")
    ]
    return watched(prod, group)


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("VersionFailing", {"errors": 2, "calls": 199}, {"errors": 2, "calls": 200}),
        ("VersionFailing", {"errors": 2, "calls": 2}, {"errors": 1, "calls": 1}),
        ("VersionFailing", {"errors": 9, "calls": 9}, {"errors": None, "calls": None}),
        ("VersionSlow", {"slow": 1_001, "calls": 20}, {"slow": 9_000, "calls": 19}),
        ("VersionSlow", {"slow": 1_001, "calls": 20}, {"slow": 1_000, "calls": 20}),
        ("VersionLoggingErrors", {"plain": 3}, {"plain": 2}),
        ("VersionLoggingErrors", {"plain": 3}, {"plain": None}),
    ],
)
def test_an_alarm_takes_a_harmful_version_back_within_a_minute(
    prod: Assembly, name: str, bad: dict[str, float | None], good: dict[str, float | None]
) -> None:
    alarm = of(prod, "GetRecommendations")[name]
    assert alarm["EvaluationPeriods"] == 1
    ids = {query["Id"] for query in queries(alarm) if "MetricStat" in query}
    assert ids == bad.keys() == good.keys()
    assert judge(alarm, [bad]).state == "ALARM"
    assert judge(alarm, [good]).state == "OK"


def test_calls_of_the_new_version_are_told_apart(prod: Assembly) -> None:
    stats = [row["MetricStat"]["Metric"] for row in queries(of(prod, "UpdateProfiles")["VersionFailing"])[1:]]
    for metric in stats:
        dimensions = {row["Name"]: str(row["Value"]) for row in metric["Dimensions"]}
        assert ":live" in dimensions["Resource"]
        assert "UpdateProfilesCurrentVersion" in dimensions["ExecutedVersion"]


def test_a_consumer_is_not_judged_by_the_time_of_a_batch(prod: Assembly) -> None:
    assert of(prod, "UpdateProfiles").keys() == {"VersionFailing", "VersionLoggingErrors"}


def test_errors_are_counted_as_the_functions_log_them(prod: Assembly) -> None:
    filters = [row for row in prod.of_type("AWS::Logs::MetricFilter") if "Rollout" in row.logical_id]
    for row in filters:
        assert row.properties["FilterPattern"] == '{ $.level = "ERROR" }'
    assert len(filters) == len(prod.of_type("AWS::CodeDeploy::DeploymentGroup"))


def test_codedeploy_may_move_the_one_alias_and_look_at_alarms(prod: Assembly) -> None:
    for group in prod.of_type("AWS::CodeDeploy::DeploymentGroup"):
        role = group.properties["ServiceRoleArn"]["Fn::GetAtt"][0]
        actions = {action for action, _ in prod.allowed(group.stack, role)}
        assert actions == {
            "cloudwatch:DescribeAlarms",
            "lambda:GetAlias",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:UpdateAlias",
        }


def test_in_an_emergency_the_canary_is_left_out() -> None:
    assert as_asked("prod", rollout="at-once").rollout is Rollout.AT_ONCE
    assert as_asked("prod") == PROD
    with pytest.raises(UnknownRolloutError, match="choose one of at-once, canary-30-minutes"):
        as_asked("prod", rollout="now")


def test_a_canary_where_there_is_no_codedeploy_is_refused() -> None:
    with pytest.raises(UnsupportedRolloutError, match="'local' has no CodeDeploy"):
        dataclasses.replace(LOCAL, rollout=Rollout.CANARY_5_MINUTES)
    assert {name for name, row in ENVIRONMENTS.items() if not row.capabilities.code_deploy} == {"local"}
