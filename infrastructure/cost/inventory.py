"""What a synthesized stack consists of that is billed, read from its CloudFormation templates."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infrastructure.cost.errors import CostError

_HANDLER: Final = re.compile(r"functions\.(\w+)\.handler\.handler")
_BAND: Final = 2
"""An alarm on a band reads the metric and both of its edges: https://aws.amazon.com/cloudwatch/pricing/"""
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """Size of a Lambda."""

    memory_mb: int
    scratch_mb: int
    arm64: bool
    traced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is there, whether used or not.

    Attributes
    ----------
    functions
        By the name of their folder.
    alarm_metrics
        Metrics that alarms read, each as often as one does.
    shards
        Provisioned ones; None for a stream on demand.
    """

    functions: Mapping[str, Function]
    alarms: int
    alarm_metrics: int
    composite_alarms: int
    dashboards: int
    secrets: int
    keys: int
    shards: int | None
    retention_hours: int
    fan_out_readers: int
    point_in_time_recovery: bool
    queues_polled: int
    repositories: int
    web_acls: int
    web_acl_rules: int
    distributions: int


def read_inventory(folder: Path) -> Inventory:
    """Read the templates of a cloud assembly.

    Raises
    ------
    CostError
        The folder holds none of Attune's.
    """
    templates = [json.loads(path.read_text()) for path in sorted(folder.glob("*.template.json"))]
    return inventory_of(resource for template in templates for resource in template["Resources"].values())


def inventory_of(resources: Iterable[Resource]) -> Inventory:
    """Count resources. O(resources).

    Raises
    ------
    CostError
        There is no stream or no table among them.
    """
    by_type: dict[str, list[Resource]] = {}
    for resource in resources:
        by_type.setdefault(resource["Type"], []).append(resource.get("Properties", {}))
    try:
        (stream,), (table,) = by_type["AWS::Kinesis::Stream"], by_type["AWS::DynamoDB::Table"]
    except (KeyError, ValueError):
        raise CostError("these are not Attune's templates: one stream and one table are expected") from None
    on_demand = stream.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND"
    recovery = table.get("PointInTimeRecoverySpecification", {})
    rules = [rule for acl in by_type.get("AWS::WAFv2::WebACL", []) for rule in acl.get("Rules", [])]
    return Inventory(
        functions=dict(_functions(by_type.get("AWS::Lambda::Function", []))),
        alarms=len(by_type.get("AWS::CloudWatch::Alarm", [])),
        alarm_metrics=sum(map(_metrics_read, by_type.get("AWS::CloudWatch::Alarm", []))),
        composite_alarms=len(by_type.get("AWS::CloudWatch::CompositeAlarm", [])),
        dashboards=len(by_type.get("AWS::CloudWatch::Dashboard", [])),
        secrets=len(by_type.get("AWS::SecretsManager::Secret", [])),
        keys=len(by_type.get("AWS::KMS::Key", [])),
        shards=None if on_demand else int(stream["ShardCount"]),
        retention_hours=int(stream.get("RetentionPeriodHours", 24)),
        fan_out_readers=len(by_type.get("AWS::Kinesis::StreamConsumer", [])),
        point_in_time_recovery=bool(recovery.get("PointInTimeRecoveryEnabled")),
        queues_polled=sum(map(_polls_a_queue, by_type.get("AWS::Lambda::EventSourceMapping", []))),
        repositories=len(by_type.get("AWS::ECR::Repository", [])),
        web_acls=len(by_type.get("AWS::WAFv2::WebACL", [])),
        web_acl_rules=len(rules),
        distributions=len(by_type.get("AWS::CloudFront::Distribution", [])),
    )


def _functions(found: Iterable[Resource]) -> Iterator[tuple[str, Function]]:
    for properties in found:
        handler = _HANDLER.fullmatch(str(properties.get("Handler", "")))
        if handler:
            yield (
                handler[1],
                Function(
                    memory_mb=int(properties.get("MemorySize", 128)),
                    scratch_mb=int(properties.get("EphemeralStorage", {}).get("Size", 512)),
                    arm64=properties.get("Architectures") == ["arm64"],
                    traced=properties.get("TracingConfig", {}).get("Mode") == "Active",
                ),
            )


def _metrics_read(alarm: Resource) -> int:
    """Count the metrics that an alarm reads; each costs as an alarm of one metric does."""
    metrics = alarm.get("Metrics")
    if metrics is None:
        return 1
    bands = sum("ANOMALY_DETECTION_BAND" in metric.get("Expression", "") for metric in metrics)
    return sum("MetricStat" in metric for metric in metrics) + _BAND * bands


def _polls_a_queue(mapping: Resource) -> bool:
    return "queue" in json.dumps(mapping.get("EventSourceArn", "")).lower()
