"""Names that the templates and the local runner must spell the same way."""

from typing import Final

METRIC_MATH_NAMESPACE: Final = "Attune/MetricMath"
"""Namespace of the metric under which an alarm stands whose expression CloudFormation wouldn't take."""
METRIC_MATH_METADATA: Final = "MetricMath"
"""Metadata of such an alarm: its expression and metrics, as the property `Metrics` would hold them."""
