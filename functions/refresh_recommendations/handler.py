"""SQS -> fresh lists."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from functions.refresh_recommendations.dependencies import refresher
from personalization.adapters.sqs import refresh_request
from personalization.errors import AttuneError
from personalization.keys import ACTIVE_MODEL
from personalization.names import Metric
from personalization.runtime.clock import now
from personalization.runtime.observability import count, logger, milliseconds, seconds, worker


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Rebuild lists; report the messages that failed, which come again and then rest as dead letters."""
    failed = []
    for record in event["Records"]:
        try:
            count(Metric.LISTS_REFRESHED, refresher().refresh(refresh_request(record["body"])))
            sent_at = float(record["attributes"]["SentTimestamp"])
            milliseconds(Metric.REFRESH_LAG, max(0.0, now().timestamp() * 1000 - sent_at))
        except AttuneError:
            logger.exception("refresh failed", message_id=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    _measure_model()
    return {"batchItemFailures": failed}


def _measure_model() -> None:
    """Tell the age of the model in service: half a read unit an invocation, and no reason to fail one."""
    with suppress(AttuneError):
        active = refresher().lists.read([ACTIVE_MODEL]).active
        if active is not None:
            seconds(Metric.MODEL_AGE, max(0.0, now().timestamp() - active.published_at))
