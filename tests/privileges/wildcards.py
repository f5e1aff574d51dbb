"""Every wildcard that is left in a policy, with its reason. A new one has to be written down here."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from privileges.policies import listed
from synth.assembly import Assembly, Resource, named

_POLICIES: Final = ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument", "RepositoryPolicyText")
_OWN_MACHINE: Final = re.compile(r"\{'Fn::Select': \[6, .*?\]\}\]\}")
_ARN: Final = re.compile(r"arn:[^:]+:([a-z-]+):[^:]*:[^:]*:(.*)")


@dataclass(frozen=True)
class Wildcard:
    """An action allowed on whatever matches; `by` is the type of resource that says so."""

    by: str
    action: str
    resource: str


NO_RESOURCE: Final = "The service knows no resource for this action."
MADE_LATER: Final = "Keys of objects are made at run time, below a prefix of their own."
NAMED_LATER: Final = "Names of jobs are made at run time, and begin with this deployment's own."
OWN_EXECUTIONS: Final = (
    "A distributed map stops and redrives executions of its own machine, whose names come at run time."
)
DELIVERY: Final = "Step Functions sets up the delivery of its log; AWS asks for these on everything."
"""https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html"""
THIS_KEY: Final = (
    "In a key's policy `*` is the key itself; the actions are those of a family, as AWS documents it."
)
ALL_ALARMS: Final = "Alarms are listed by prefix, which no policy can name."
STAGES: Final = "The API has one stage, and its route one method; CDK names neither."
ONE_ENVIRONMENT: Final = "The application has one environment, made after those who read it."

_READ: Final = (
    "lake/events",
    "lake/exposures",
    "lake/experiments",
    "models/models",
    "models/runs",
    "models/snapshots",
    "models/shared",
    "lake/experiments/state",
    "lake/erasures/pending",
    "lake/erasures/receipts",
    "lake/exports",
    "lake/quarantine",
)
_WRITTEN: Final = (
    *(prefix for prefix in _READ if not prefix.startswith("lake/erasures/")),
    "lake/quarantine/exposures",
    "lake/erasures",
)
_DELETED: Final = (
    "lake/erasures/pending",
    "lake/exports",
    "lake/quarantine",
    "models/runs",
    "models/snapshots",
)
_SPELLED: Final = {
    ":alarm:*": "cloudwatch:alarm:*",
    "/environment/*/configuration/": "appconfig:environment/*",
    "/*/*/v1/": "execute-api:*/*",
}
_DELIVERIES: Final = (
    *("CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies"),
    *("GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
)
_STREAMS: Final = ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
_TRACES: Final = ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")


def _rows() -> Iterator[tuple[str, str, tuple[str, ...], str, str]]:
    """Type, service, actions, resource, reason."""
    policy = "AWS::IAM::Policy"
    yield policy, "xray", _TRACES, "*", NO_RESOURCE
    yield policy, "cloudwatch", ("GetMetricData", "PutMetricData"), "*", NO_RESOURCE
    yield policy, "ecr", ("GetAuthorizationToken",), "*", NO_RESOURCE
    yield policy, "logs", _DELIVERIES, "*", DELIVERY
    yield policy, "cloudwatch", ("DescribeAlarms",), "cloudwatch:alarm:*", ALL_ALARMS
    yield "AWS::IAM::Role", "cloudwatch", ("DescribeAlarms",), "*", ALL_ALARMS
    for action, prefixes in (("GetObject", _READ), ("PutObject", _WRITTEN), ("DeleteObject", _DELETED)):
        for prefix in prefixes:
            yield policy, "s3", (action,), f"{prefix}/*", MADE_LATER
    for action in ("GetLatestConfiguration", "StartConfigurationSession"):
        yield policy, "appconfig", (action,), "appconfig:environment/*", ONE_ENVIRONMENT
    yield "AWS::Lambda::Permission", "lambda", ("InvokeFunction",), "execute-api:*/*", STAGES
    for kind in ("Processing", "Training"):
        jobs = f"sagemaker:{kind.lower()}-job/attune-prod-*"
        actions = tuple(f"{verb}{kind}Job" for verb in ("Create", "Describe", "Stop"))
        yield policy, "sagemaker", (*actions, "AddTags", "ListTags"), jobs, NAMED_LATER
        yield policy, "logs", _STREAMS, f"logs:log-group:/aws/sagemaker/{kind}Jobs:*", NAMED_LATER
    yield policy, "states", ("DescribeExecution", "StopExecution"), "states:execution:own:*", OWN_EXECUTIONS
    yield policy, "states", ("RedriveExecution",), "states:execution:own/*:*", OWN_EXECUTIONS
    yield "AWS::KMS::Key", "kms", ("*", "GenerateDataKey*", "ReEncrypt*", "Encrypt*"), "this key", THIS_KEY


WILDCARDS: Final[Mapping[Wildcard, str]] = {
    Wildcard(by, f"{service}:{action}", resource): reason
    for by, service, actions, resource, reason in _rows()
    for action in actions
}


def wildcards(assembly: Assembly) -> Iterator[tuple[Wildcard, Resource]]:
    """Yield every wildcard in what the templates allow, and where it stands."""
    for resource in assembly.resources:
        for statement in _statements(resource):
            for action in listed(statement["Action"]):
                for target in map(shown, listed(statement.get("Resource", "itself"))):
                    place = "this key" if resource.type == "AWS::KMS::Key" else target
                    if "*" in action or "*" in place:
                        yield Wildcard(resource.type, action, place), resource


def open_to_all(assembly: Assembly) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each statement that allows everybody something, with the resource that says so."""
    for resource in assembly.resources:
        for statement in _statements(resource):
            if statement.get("Principal") in ("*", {"AWS": "*"}):
                yield resource.logical_id, statement


def shown(target: Any) -> str:
    """Say what a policy's resource is of, the same in every account and region.

    >>> shown("arn:aws:cloudwatch:us-east-1:000000000000:alarm:*")
    'cloudwatch:alarm:*'
    """
    for mark, name in _SPELLED.items():
        if mark in str(target):
            return name
    text = _OWN_MACHINE.sub("own", named(target))
    found = _ARN.match(re.sub(r"\{'Ref': 'AWS::\w+'\}", "x", text))
    return ":".join(found.groups()) if found else text


def _statements(resource: Resource) -> Iterator[Mapping[str, Any]]:
    documents = [resource.properties[name] for name in _POLICIES if name in resource.properties]
    if resource.type == "AWS::IAM::Role":
        documents += [each["PolicyDocument"] for each in resource.properties.get("Policies", ())]
    if resource.type == "AWS::Lambda::Permission":
        told = {"Effect": "Allow", "Resource": resource.properties.get("SourceArn", "itself")}
        documents.append({"Statement": [told | {"Action": resource.properties["Action"]}]})
    for document in documents:
        yield from (each for each in document["Statement"] if each["Effect"] == "Allow")
