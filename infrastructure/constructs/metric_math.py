"""An expression over metrics that an alarm watches, also where CloudFormation takes no expressions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infrastructure.names import METRIC_MATH_NAMESPACE

_RESULT: Final = "result"


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A CloudWatch expression; the names in it are the keys of `metrics`."""

    text: str
    metrics: Mapping[str, cloudwatch.Metric]
    period: Duration
    label: str

    def metric(self) -> cloudwatch.MathExpression:
        """Return what an alarm watches on AWS."""
        return cloudwatch.MathExpression(
            expression=self.text, using_metrics=dict(self.metrics), period=self.period, label=self.label
        )

    def stand_in(self, name: str) -> cloudwatch.Metric:
        """Return a metric that nobody writes, for an alarm whose state somebody else sets."""
        return cloudwatch.Metric(
            namespace=METRIC_MATH_NAMESPACE, metric_name=name, period=self.period, statistic="Average"
        )

    def queries(self) -> list[dict[str, Any]]:
        """Return the property `Metrics` that an alarm on AWS would have."""
        result = {"Id": _RESULT, "Expression": self.text, "Label": self.label, "ReturnData": True}
        return [result, *(_query(name, metric) for name, metric in self.metrics.items())]


def _query(name: str, metric: cloudwatch.Metric) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in (metric.dimensions or {}).items()]
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.metric_name,
                "Dimensions": dimensions,
            },
            "Period": metric.period.to_seconds(),
            "Stat": metric.statistic,
        },
        "ReturnData": False,
    }
