"""PUT /v1/users/{user_id}/consent."""

from http import HTTPStatus
from typing import Any

from functions.put_consent.dependencies import dependencies
from personalization.consent import EFFECTIVE_SECONDS, parse_consent
from personalization.names import Metric
from personalization.queries import check_user_id
from personalization.runtime.http import (
    Event,
    Response,
    body_of,
    check_user,
    http_handler,
    path_value,
    respond,
)
from personalization.runtime.observability import count, metrics


@metrics.log_metrics
@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
    """Answer 200 with what is in force: for answers at once, for events within so many seconds."""
    user_id = path_value(event, "user_id")
    check_user_id(user_id)
    check_user(event, user_id)
    consent = parse_consent(body_of(event))
    deps = dependencies()
    standing = deps.desk.change(deps.user_key(user_id), consent)
    count(Metric.EVENTS_ACCEPTED, 1)
    return respond(HTTPStatus.OK, {"consent": standing.consent, "in_force_within_seconds": EFFECTIVE_SECONDS})
