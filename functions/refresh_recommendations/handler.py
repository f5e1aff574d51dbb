"""SQS -> fresh lists."""

from collections.abc import Mapping
from typing import Any

from functions.refresh_recommendations.dependencies import refresher
from personalization.adapters.sqs import refresh_requests
from personalization.errors import Unavailable
from personalization.names import Metric
from personalization.runtime.observability import count, logger, metrics


@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Rebuild lists; report the messages to try again."""
    failed = []
    for message_id, request in refresh_requests(event).items():
        try:
            count(Metric.LISTS_REFRESHED, refresher().refresh(request))
        except Unavailable:
            logger.exception("refresh put off", user_key=request.user_key)
            failed.append({"itemIdentifier": message_id})
    return {"batchItemFailures": failed}
