"""Which permissions an AWS call takes: mostly the action of the call's own name, and the exceptions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """One permission: an action, on the resource that a parameter names, at these keys."""

    action: str
    target: str
    """Name, address or ARN, as the caller gave it."""
    keys: frozenset[str] = frozenset()
    """Beginnings of S3 keys or of partition keys, up to the first `/` or `#`: what policies tell apart."""


_ACTIONS: Final = {
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "dynamodb:TransactWriteItems": "dynamodb:PutItem",
    "appconfigdata:StartConfigurationSession": "appconfig:StartConfigurationSession",
    "appconfigdata:GetLatestConfiguration": "appconfig:GetLatestConfiguration",
}
"""https://docs.aws.amazon.com/service-authorization/latest/reference/; other calls are named as they are."""


_IN_PARTS: Final = ("quarantine/", "erasures/", "experiments/")

SAID: Final = {name: name for name in ("experiments", "alarms", "*")}
"""Targets that have the name that tests give to the resource, whatever a function's settings say."""


def needs(service: str, operation: str, params: Params) -> Iterator[Need]:
    """Yield the permissions that a call takes."""
    if operation == "CopyObject":
        source = params["CopySource"]
        yield Need("s3:GetObject", source["Bucket"], frozenset({head(source["Key"])}))
        yield Need("s3:PutObject", params["Bucket"], frozenset({head(params["Key"])}))
        return
    name = f"{service}:{operation}"
    action = _ACTIONS.get(name, name)
    for target, keys in _targets(service, params):
        yield Need(action, target, frozenset(map(head, keys)))


def need_of_an_absent_object(params: Params) -> Need:
    """Return what S3 asks for before it says that there is no such object, rather than 403."""
    return Need("s3:ListBucket", params["Bucket"])


def head(key: str) -> str:
    """Return a key up to its first separator; up to the second where the parts have own writers or readers.

    >>> head("runs/tonight/model/factors.npz"), head("USER#ann"), head("MODEL")
    ('runs/', 'USER#', 'MODEL')
    """
    if key.startswith(_IN_PARTS):
        return "".join(part + "/" for part in key.split("/")[:2])
    ends = [key.index(mark) + 1 for mark in "/#" if mark in key]
    return key[: min(ends)] if ends else key


def _targets(service: str, params: Params) -> Iterator[tuple[str, list[str]]]:
    named: Mapping[str, Callable[[], Iterator[tuple[str, list[str]]]]] = {
        "s3": lambda: iter([(params["Bucket"], [params.get("Key", params.get("Prefix", ""))])]),
        "dynamodb": lambda: _of_table(params),
        "sqs": lambda: iter([(params["QueueUrl"], [])]),
        "kinesis": lambda: iter([(params["StreamName"], [])]),
        "secretsmanager": lambda: iter([(params["SecretId"], [])]),
        "appconfigdata": lambda: iter([("experiments", [])]),
        "cloudwatch": lambda: iter([("alarms" if "AlarmNamePrefix" in params else "*", [])]),
        "codebuild": lambda: iter([(params.get("projectName") or params["ids"][0].partition(":")[0], [])]),
    }
    yield from named[service]() if service in named else iter([("unknown", [])])


def _of_table(params: Params) -> Iterator[tuple[str, list[str]]]:
    if "RequestItems" in params:
        for table, request in params["RequestItems"].items():
            yield table, [key["pk"]["S"] for key in request["Keys"]]
    elif "TransactItems" in params:
        for (put,) in (item.values() for item in params["TransactItems"]):
            yield put["TableName"], [put["Item"]["pk"]["S"]]
    elif "KeyConditionExpression" in params:
        yield params["TableName"], [params["ExpressionAttributeValues"][":pk"]["S"]]
    else:
        values = params.get("ExpressionAttributeValues", {})
        record = params.get("Item") or params.get("Key") or {"pk": values.get(":pk")}
        yield params["TableName"], [record["pk"]["S"]]
