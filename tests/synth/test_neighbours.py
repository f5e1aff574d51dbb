"""Deployments side by side in one account and region: nothing that AWS knows by name is shared."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infrastructure.app import define
from infrastructure.environments import DEV, as_asked
from infrastructure.errors import UnusableNameError
from releases.record import exports
from tests.synth.assembly import Assembly, Resource
from tests.synth.conftest import app_without_bundling

WITHIN_A_PARENT = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Stage",
    "AWS::AppConfig::ConfigurationProfile",
    "AWS::Athena::NamedQuery",
    "AWS::Cognito::UserPoolResourceServer",
    "AWS::Glue::Table",
    "AWS::IAM::Policy",
    "AWS::Lambda::Alias",
}
"""Types whose name need only differ within an API, an application, a workgroup, a pool, a database, a
role or a function of the deployment; an API's own name is a label."""
WITH_METRICS = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Lambda::Function",
    "AWS::Logs::MetricFilter",
}


@pytest.fixture(scope="module")
def neighbours(
    synthesize: Callable[[str], Assembly], tmp_path_factory: pytest.TempPathFactory
) -> list[Assembly]:
    """`dev`, a developer's of her own, and `prod`, all in one account and region."""
    app = app_without_bundling(tmp_path_factory.mktemp("deva"))
    define(app, as_asked("dev", name="deva"))
    return [synthesize("dev"), Assembly(Path(app.synth().directory)), synthesize("prod")]


def physical_names(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """Each name that the template gives a resource, by type; without one CloudFormation makes one up."""
    for resource in assembly.resources:
        if resource.type not in WITHIN_A_PARENT:
            own = resource.type.rpartition("::")[2]
            for field in ("Name", f"{own}Name", "Domain", "AlarmName", "DashboardName", "LogGroupName"):
                name = resource.properties.get(field)
                if isinstance(name, str):
                    yield resource.type, name
        if resource.type == "AWS::Glue::Database":
            yield resource.type, resource.properties["DatabaseInput"]["Name"]
        for space in namespaces(resource):
            yield "metrics", space


def namespaces(resource: Resource) -> set[str]:
    """Where a resource writes or looks for metrics of Attune's own."""
    if resource.type not in WITH_METRICS:
        return set()
    return set(re.findall(r'"(Attune[/\w]*)\\*"', json.dumps(resource.properties)))


def test_no_name_is_shared(neighbours: list[Assembly]) -> None:
    owners = Counter(name for assembly in neighbours for name in set(physical_names(assembly)))
    assert {name for name, count in owners.items() if count > 1} == set()
    kinds = {kind for kind, _ in owners}
    assert {"AWS::CloudWatch::CompositeAlarm", "AWS::Athena::WorkGroup", "metrics"} <= kinds


def test_no_stack_and_no_export_is_shared(neighbours: list[Assembly]) -> None:
    for read in (lambda assembly: set(assembly.templates), exports):
        names = [name for assembly in neighbours for name in read(assembly)]
        assert len(names) == len(set(names))


def test_metrics_are_written_where_the_own_alarms_look_for_them(neighbours: list[Assembly]) -> None:
    for assembly, name in zip(neighbours, ("dev", "deva", "prod"), strict=True):
        written = {row.variables["POWERTOOLS_METRICS_NAMESPACE"] for row in assembly.lambdas.values()}
        assert written == {f"Attune/{name}"}
        watched = set().union(*map(namespaces, assembly.resources))
        parts = {space.removeprefix(f"Attune/{name}") for space in watched}
        assert parts <= {"", "/AccessLog", "/Log"}
        assert "" in parts


def test_no_policy_with_a_pattern_of_names_covers_a_neighbour(neighbours: list[Assembly]) -> None:
    patterns = {
        name: set(re.findall(r"attune-\w*-\*", json.dumps(assembly.templates)))
        for name, assembly in zip(("dev", "deva", "prod"), neighbours, strict=True)
    }
    assert patterns["prod"] == {"attune-prod-*"}
    for name in ("dev", "deva"):
        assert patterns[name] <= {f"attune-{name}-*"}
    prefixes = [assembly.lambdas["get_console_data"].variables["ALARM_PREFIX"] for assembly in neighbours]
    assert prefixes == ["attune-dev-", "attune-deva-", "attune-prod-"]


@pytest.mark.parametrize(
    "name", ["prod", "local", "d", "Dev", "dev-ann", "1a", "dev_a", "a" * 17, "", "ä2", "ann\n"]
)
def test_a_name_that_another_has_or_that_aws_refuses_somewhere_is_refused(name: str) -> None:
    with pytest.raises(UnusableNameError):
        as_asked("dev", name=name)


def test_the_longest_name_fits_a_sign_in_domain() -> None:
    assert len(f"attune-{as_asked('dev', name='a' * 16).name}-") + 36 <= 63


def test_a_deployment_under_another_name_is_of_its_kind() -> None:
    assert replace(as_asked("dev", name="ann"), name="dev") == DEV
    assert as_asked("dev", name="dev") == DEV
