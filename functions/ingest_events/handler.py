"""POST /v1/events."""

from typing import Any

from functions.ingest_events.dependencies import dependencies
from personalization import ingestion
from personalization.runtime.clock import now
from personalization.runtime.http import Event, Response, body_of, header, http_handler, subject_of
from personalization.runtime.observability import metrics
from personalization.runtime.receipts import answer_receipt


@metrics.log_metrics
@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 202 with the count of accepted events and each rejected one's reason."""
    deps = dependencies()
    receipt = ingestion.ingest_events(
        body_of(event),
        stream=deps.stream,
        consents=deps.consents,
        user_key=deps.user_key,
        is_bot=deps.is_bot,
        received_at=now(),
        sent_by_bot=deps.is_bot_calling(header(event, "user-agent") or ""),
        caller=subject_of(event),
        guest_of=deps.guest_of,
    )
    return answer_receipt(receipt, request_id=context.aws_request_id)
