"""CloudWatch Logs -> lake."""

from collections.abc import Mapping
from typing import Any

from functions.archive_exposures.dependencies import lake
from personalization.exposure_log import archive_exposures, decode_delivery
from personalization.names import Metric
from personalization.runtime.observability import count, worker


@worker
def handler(event: Mapping[str, Any], context: Any) -> None:  # noqa: ARG001
    """Write a delivery; any fault makes Lambda try again, and then keep the delivery in a queue."""
    archived = archive_exposures(decode_delivery(event), lake())
    count(Metric.EXPOSURES_ARCHIVED, archived.exposures)
    count(Metric.EXPOSURES_QUARANTINED, archived.quarantined)
