"""The answer to a batch that was taken in, and its counts."""

from http import HTTPStatus

from personalization.ingestion import Receipt
from personalization.names import Metric
from personalization.runtime.http import Response, problem, respond
from personalization.runtime.observability import count


def answer_receipt(receipt: Receipt, *, request_id: str) -> Response:
    """Answer 202 with what was accepted and each rejection; 503 when the stream took nothing."""
    count(Metric.EVENTS_ACCEPTED, receipt.accepted)
    count(Metric.EVENTS_REJECTED, len(receipt.rejected))
    if receipt.anonymous:
        count(Metric.EVENTS_FILTERED, receipt.anonymous)
    if receipt.throttled:
        detail = "the stream is busy; send the whole request again"
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "stream_busy", detail, request_id)
    return respond(HTTPStatus.ACCEPTED, {"accepted": receipt.accepted, "rejected": receipt.rejected})
