"""Reads a cloud assembly: its resources by type, its Lambdas with what they may do."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infrastructure.environments import environment_named
from infrastructure.fields import Environment

Properties = Mapping[str, Any]

# How resources of other stacks and of the own one appear in policies, by logical id.
_NAMED = (
    ("ErasureQueueDeadLetters", "erasure dead letters"),
    ("ErasureQueue", "erasure queue"),
    ("RefreshQueueDeadLetters", "refresh dead letters"),
    ("RefreshQueue", "refresh queue"),
    ("ErasureQueue", "erasure queue"),
    ("PrivacyFailed", "failed rounds"),
    ("UserKeySecret", "user key secret"),
    ("TokenSecret", "token secret"),
    ("GuestSecret", "guest secret"),
    ("ProfileConsumerFailedBatches", "failed batches"),
    ("ArchiveConsumerFailedBatches", "failed batches"),
    ("ExposureArchiveFailed", "failed deliveries"),
    ("ExperimentAnalysisFailed", "failed analyses"),
    ("AutomaticRollbackFailed", "rollback failures"),
    ("ProfileConsumerReader", "reader"),
    ("JobImageBuildLogs", "build logs"),
    ("JobImageRepository", "repository"),
    ("JobImageBuildC", "build"),
    ("JobRoles", "job role"),
    ("Table", "table"),
    ("Lake", "lake"),
    ("Models", "models"),
    ("Stream", "stream"),
    ("Logs", "own logs"),
    ("Key", "key"),
)


@dataclass(frozen=True)
class Resource:
    stack: str
    logical_id: str
    type: str
    body: Mapping[str, Any]

    @property
    def properties(self) -> Properties:
        properties: Properties = self.body.get("Properties", {})
        return properties


@dataclass(frozen=True)
class Lambda:
    resource: Resource
    allowed: frozenset[tuple[str, str]]
    """Pairs of action and resource, the resource by the name it has in the tests."""

    @property
    def name(self) -> str:
        return str(self.resource.properties["Handler"]).split(".")[1]

    @property
    def variables(self) -> Mapping[str, Any]:
        variables: Mapping[str, Any] = self.resource.properties["Environment"]["Variables"]
        return variables

    @property
    def layers(self) -> set[str]:
        ids = [layer["Ref"] for layer in self.resource.properties["Layers"]]
        return {re.sub(r"^Layers|[0-9A-F]{8}$", "", id_).lower() for id_ in ids}


class Assembly:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @cached_property
    def templates(self) -> dict[str, Any]:
        files = sorted(self.directory.glob("*.template.json"))
        return {file.name.removesuffix(".template.json"): json.loads(file.read_text()) for file in files}

    @property
    def environment(self) -> Environment:
        return environment_named(next(iter(self.templates)).split("-")[1])

    @cached_property
    def resources(self) -> list[Resource]:
        return [
            Resource(stack, logical_id, body["Type"], body)
            for stack, template in self.templates.items()
            for logical_id, body in template["Resources"].items()
        ]

    def of_type(self, type_: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == type_]

    @property
    def alarms(self) -> list[Resource]:
        """Of the platform; those that a rollout brings along lie beside its function."""
        everywhere = self.of_type("AWS::CloudWatch::Alarm")
        return [alarm for alarm in everywhere if "Rollout" not in alarm.logical_id]

    def one(self, type_: str, name: str = "") -> Resource:
        (resource,) = [found for found in self.of_type(type_) if name in found.logical_id]
        return resource

    @cached_property
    def lambdas(self) -> dict[str, Lambda]:
        found = [
            Lambda(resource, frozenset(self._allowed(resource)))
            for resource in self.of_type("AWS::Lambda::Function")
        ]
        return {function.name: function for function in found}

    def asset_of(self, function: Lambda) -> Path:
        digest = str(function.resource.properties["Code"]["S3Key"]).removesuffix(".zip")
        return self.directory / f"asset.{digest}"

    def _allowed(self, function: Resource) -> Iterator[tuple[str, str]]:
        (role, _) = function.properties["Role"]["Fn::GetAtt"]
        return self.allowed(function.stack, role)

    def allowed(self, stack: str, role: str) -> Iterator[tuple[str, str]]:
        """Pairs of action and resource of a role, the resource by the name it has in the tests."""
        for policy in self.of_type("AWS::IAM::Policy"):
            if policy.stack == stack and {"Ref": role} in policy.properties["Roles"]:
                for statement in policy.properties["PolicyDocument"]["Statement"]:
                    assert statement["Effect"] == "Allow"
                    for action in _listed(statement["Action"]):
                        for resource in _listed(statement["Resource"]):
                            yield action, named(resource)


def named(resource: Any) -> str:
    """Say which resource an ARN in a template is of, with what follows it: `lake/events/*`."""
    if ":alarm:*" in str(resource):
        return "alarms"
    if isinstance(resource, str):
        return resource
    if "/environment/*/configuration/" in str(resource):
        return "experiments"
    if "Fn::Join" in resource:
        return "".join(named(part) for part in resource["Fn::Join"][1])
    shown = str(resource)
    return next((name for mark, name in _NAMED if mark in shown), shown)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
