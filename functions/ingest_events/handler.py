"""POST /v1/events."""

from http import HTTPStatus
from typing import Any

from functions.ingest_events.dependencies import dependencies
from personalization import ingestion
from personalization.names import Metric
from personalization.runtime.clock import now
from personalization.runtime.http import Event, Response, body_of, http_handler, problem, respond
from personalization.runtime.observability import count, metrics


@metrics.log_metrics
@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 202 with the count of accepted events and each rejected one's reason."""
    deps = dependencies()
    receipt = ingestion.ingest_events(
        body_of(event),
        stream=deps.stream,
        user_key=deps.user_key,
        is_bot=deps.is_bot,
        received_at=now(),
    )
    count(Metric.EVENTS_ACCEPTED, receipt.accepted)
    count(Metric.EVENTS_REJECTED, len(receipt.rejected))
    if receipt.throttled:
        detail = "the stream is busy; send the whole request again"
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "stream_busy", detail, context.aws_request_id)
    return respond(HTTPStatus.ACCEPTED, {"accepted": receipt.accepted, "rejected": receipt.rejected})
