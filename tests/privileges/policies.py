"""What roles of a cloud assembly allow, as IAM evaluates it: by action, resource and condition."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from synth.assembly import Assembly, named

_KEYS_OF = {
    ("ForAllValues:StringLike", "dynamodb:LeadingKeys"),
    ("StringLike", "s3:prefix"),
}
"""Conditions on the keys of a call."""
_OF_NO_CALL = {("StringEquals", "cloudwatch:namespace")}
"""Conditions on what no function does."""


@dataclass(frozen=True)
class Permission:
    """One action on one resource and, where a condition says so, at keys like these only.

    A statement with several patterns of keys becomes several permissions, each of which has to be needed.
    """

    action: str
    resource: str
    pattern: str | None

    def allows(self, action: str, resource: str, key: str | None) -> bool:
        """Whether a call at one key (None: at none) is allowed."""
        return (
            fnmatchcase(action, self.action)
            and fnmatchcase(resource, self.resource)
            and (self.pattern is None or (key is not None and fnmatchcase(key, self.pattern)))
        )


def permissions(assembly: Assembly, stack: str, role: str) -> Iterator[Permission]:
    """Yield what the policies of a role allow.

    Raises
    ------
    ValueError
        A condition is not known here, so nothing can be said of it.
    """
    for policy in assembly.of_type("AWS::IAM::Policy"):
        if policy.stack == stack and {"Ref": role} in policy.properties["Roles"]:
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                if statement["Effect"] != "Allow":
                    raise ValueError(f"{policy.logical_id}: only Allow is understood")
                yield from _of_statement(statement)


def _of_statement(statement: Mapping[str, Any]) -> Iterator[Permission]:
    patterns = _patterns(statement.get("Condition", {}))
    for action in listed(statement["Action"]):
        for resource in listed(statement["Resource"]):
            for pattern in patterns:
                yield Permission(action, named(resource), pattern)


def _patterns(conditions: Mapping[str, Mapping[str, Any]]) -> list[str | None]:
    patterns: list[str | None] = []
    for operator, keys in conditions.items():
        for key, values in keys.items():
            if (operator, key) in _KEYS_OF and not patterns:
                patterns += listed(values)
            elif (operator, key) not in _OF_NO_CALL:
                raise ValueError(f"a condition that the comparison doesn't know: {operator} {key}")
    return patterns or [None]


def listed(value: Any) -> list[Any]:
    """Return a list, or one thing as a list."""
    return value if isinstance(value, list) else [value]
