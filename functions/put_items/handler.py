"""PUT /v1/items."""

from typing import Any

from functions.put_items.dependencies import event_stream
from personalization import ingestion
from personalization.runtime.clock import new_id, now
from personalization.runtime.http import Event, Response, body_of, http_handler
from personalization.runtime.observability import metrics
from personalization.runtime.receipts import answer_receipt


@metrics.log_metrics
@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 202 with the count of accepted items and each rejected one's reason."""
    receipt = ingestion.ingest_items(body_of(event), stream=event_stream(), new_id=new_id, received_at=now())
    return answer_receipt(receipt, request_id=context.aws_request_id)
