"""SQS -> fresh lists."""

from collections.abc import Mapping
from typing import Any

from functions.refresh_recommendations.dependencies import refresher
from personalization.adapters.sqs import refresh_request
from personalization.errors import AttuneError
from personalization.names import Metric
from personalization.runtime.observability import count, logger, metrics


@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Rebuild lists; report the messages that failed, which come again and then rest as dead letters."""
    failed = []
    for record in event["Records"]:
        try:
            count(Metric.LISTS_REFRESHED, refresher().refresh(refresh_request(record["body"])))
        except AttuneError:
            logger.exception("refresh failed", message_id=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
