"""SQS -> fresh lists."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from functions.refresh_recommendations.dependencies import refresher
from personalization.adapters.clients import BEHIND_A_QUEUE
from personalization.adapters.sqs import refresh_request
from personalization.errors import AttuneError, Unavailable
from personalization.names import Metric
from personalization.runtime.clock import now
from personalization.runtime.due import due_in
from personalization.runtime.observability import count, logger, milliseconds, seconds, worker

_WORST_SECONDS = 2 * BEHIND_A_QUEUE.seconds + 3
"""How long one message may take whose model, or whose table, hangs."""


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Rebuild lists; report the messages that failed, which come again and then rest as dead letters.

    None begins for which there is no time: a timeout would bring back those that are done as well.
    """
    deadline = due_in(float("inf"), context, reserve=_WORST_SECONDS)
    failed = []
    for record in event["Records"]:
        try:
            if deadline.is_over:
                raise Unavailable("no time is left for this message")
            count(Metric.LISTS_REFRESHED, refresher().refresh(refresh_request(record["body"])))
            sent_at = float(record["attributes"]["SentTimestamp"])
            milliseconds(Metric.REFRESH_LAG, max(0.0, now().timestamp() * 1000 - sent_at))
        except AttuneError:
            logger.exception("refresh failed", message_id=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    if not deadline.is_over:
        _measure_model()
    return {"batchItemFailures": failed}


def _measure_model() -> None:
    """Tell the age of the model in service, as it was last seen; no reason to fail an invocation."""
    with suppress(AttuneError):
        active = refresher().active()
        if active is not None:
            seconds(Metric.MODEL_AGE, max(0.0, now().timestamp() - active.published_at))
