"""Holds recorded calls against roles, both ways: the missing fails in production, the unneeded is a risk."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from privileges.exceptions import MADE_BY_AWS
from privileges.policies import Permission, permissions
from privileges.recording import Call
from synth.assembly import Assembly, named

BESIDE_SAGEMAKER = frozenset({"champion", "soundness", "gate", "announce"})
"""Steps that stay Lambdas where the large ones are jobs."""


OF_OBJECTS = frozenset({"s3:GetObject", "s3:PutObject", "s3:DeleteObject"})


@dataclass
class Finding:
    """How one role of one environment came out."""

    environment: str
    role: str
    used: int = 0
    by_aws: int = 0
    missing: list[str] = field(default_factory=list)
    unneeded: list[str] = field(default_factory=list)


def compare(assembly: Assembly, calls: Iterable[Call]) -> Iterator[Finding]:
    """Compare every function's role, and that of the publishing job where there is one."""
    made = sorted(calls, key=repr)
    on_sagemaker = bool(assembly.of_type("Custom::JobImage"))
    for name, function in sorted(assembly.lambdas.items()):
        own = [call for call in made if call.function == name]
        if name == "run_training_step" and on_sagemaker:
            own = [call for call in own if call.step in BESIDE_SAGEMAKER]
        (role, _) = function.resource.properties["Role"]["Fn::GetAtt"]
        allowed = permissions(assembly, function.resource.stack, role)
        yield _compared(assembly, name, own, allowed)
    if on_sagemaker:
        role_resource = assembly.one("AWS::IAM::Role", "JobRolesPublishing")
        allowed = permissions(assembly, role_resource.stack, role_resource.logical_id)
        yield _compared(assembly, "publishing job", [call for call in made if call.by_job], allowed)


def _compared(assembly: Assembly, role: str, calls: list[Call], allowed: Iterable[Permission]) -> Finding:
    finding = Finding(assembly.environment.name, role)
    granted = sorted(set(allowed), key=repr)
    used: set[Permission] = set()
    for call in calls:
        resource = _resource(assembly, call)
        for key in call.keys or (None,):
            place = f"{resource}/{key}" if call.action in OF_OBJECTS else resource
            matching = {each for each in granted if each.allows(call.action, place, key)}
            used |= matching
            if not matching:
                finding.missing.append(f"{call.action} on {place}" + (f" at {key}" if key else ""))
    for permission in granted:
        if permission in used:
            finding.used += 1
        elif reason_of(role, permission) is not None:
            finding.by_aws += 1
        else:
            finding.unneeded.append(
                " ".join(filter(None, (permission.action, "on", permission.resource, permission.pattern)))
            )
    return finding


def reason_of(role: str, permission: Permission) -> str | None:
    """Return why a role has a permission that it never uses itself; None if nothing speaks for it."""
    for (who, action, resource), reason in MADE_BY_AWS.items():
        if (
            fnmatchcase(role, who)
            and fnmatchcase(permission.action, action)
            and (
                permission.resource == resource
                or (fnmatchcase(permission.resource, resource) and resource != "*")
            )
        ):
            return reason
    return None


def _resource(assembly: Assembly, call: Call) -> str:
    """Return the test's name of what a setting, or a property of the custom resource, names."""
    variables = assembly.lambdas[call.function].variables
    if call.resource in variables:
        return named(variables[call.resource])
    for custom in assembly.of_type("Custom::JobImage"):
        if call.resource in custom.properties:
            return named(custom.properties[call.resource])
    return call.resource
