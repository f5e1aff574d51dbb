"""The part of a cloud assembly that an upgrade must not replace, as a record that can be kept."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from infrastructure.constructs.layer_build import ROOT
from synth.assembly import Assembly

FOLDER: Final = Path(__file__).parent
DATA: Final = frozenset(
    {
        "AWS::Cognito::UserPool",
        "AWS::DynamoDB::Table",
        "AWS::KMS::Key",
        "AWS::Kinesis::Stream",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    }
)
"""Types whose resources hold what can't be made again."""
KEPT: Final = DATA | {
    "AWS::ApiGatewayV2::Api",
    "AWS::Kinesis::StreamConsumer",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
    "AWS::StepFunctions::StateMachine",
}
"""With those that hold an address, a position in the stream, messages or histories."""
_SPECIFICATION: Final = ROOT / "node_modules" / "aws-cdk" / "db.json.gz"
"""What `cdk diff` itself asks which change replaces a resource."""

Record = Mapping[str, Any]


@cache
def replacing() -> Mapping[str, frozenset[str]]:
    """Return, by type of `KEPT`, the properties whose change makes CloudFormation replace the resource."""
    with gzip.open(_SPECIFICATION) as file:
        rows = json.load(file)["schema"]["resource"]["entities"]
    return {
        row["cloudFormationType"]: frozenset(
            name for name, property_ in row["properties"].items() if property_.get("causesReplacement")
        )
        for row in rows
        if row["cloudFormationType"] in KEPT
    }


def record(assembly: Assembly) -> Record:
    """Return what must stay: resources by stack and logical id, and the exports that stacks import."""
    resources: dict[str, dict[str, Any]] = {}
    for resource in assembly.resources:
        if resource.type in KEPT:
            properties = resource.properties
            resources.setdefault(resource.stack, {})[resource.logical_id] = {
                "Type": resource.type,
                "DeletionPolicy": resource.body.get("DeletionPolicy", "Delete"),
                "UpdateReplacePolicy": resource.body.get("UpdateReplacePolicy", "Delete"),
                "Properties": {
                    name: properties[name] for name in sorted(replacing()[resource.type] & properties.keys())
                },
            }
    return {"resources": resources, "imports": sorted(imports(assembly))}


def imports(assembly: Assembly) -> set[str]:
    """Return the names of the exports that one stack imports from another."""
    return set(re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(assembly.templates)))


def exports(assembly: Assembly) -> set[str]:
    """Return the names of all exports."""
    outputs = [
        row for template in assembly.templates.values() for row in template.get("Outputs", {}).values()
    ]
    return {output["Export"]["Name"] for output in outputs if "Export" in output}


def harm(before: Record, today: Assembly) -> Iterator[str]:
    """Yield what an upgrade from the recorded release would destroy, one sentence each."""
    now = record(today)
    for stack, resources in before["resources"].items():
        for logical_id, old in resources.items():
            new = now["resources"].get(stack, {}).get(logical_id)
            yield from (f"{stack} {logical_id} {found}" for found in _harm_to(old, new))
    for name in sorted(set(before["imports"]) - exports(today)):
        yield f"{name} is exported no more, though stacks of the release import it until they are updated"


def _harm_to(old: Mapping[str, Any], new: Mapping[str, Any] | None) -> Iterator[str]:
    if new is None:
        yield f"({old['Type']}) would be deleted: it is gone, or has another logical id"
        return
    if new["Type"] != old["Type"]:
        yield f"would be replaced: it was {old['Type']} and is {new['Type']}"
        return
    for name in sorted(old["Properties"].keys() | new["Properties"].keys()):
        if old["Properties"].get(name) != new["Properties"].get(name):
            yield f"would be replaced: its {name} changes"
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if old[policy] != "Delete" and new[policy] != old[policy]:
            yield f"would lose its {policy} {old[policy]}"
