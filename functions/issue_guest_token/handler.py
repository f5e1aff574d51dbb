"""POST /v1/server/guests and PUT /v1/server/guests/{user_id}."""

from http import HTTPStatus
from typing import Any

from functions.issue_guest_token.dependencies import guest_secret
from personalization.guests import issue_guest_token, new_guest
from personalization.runtime.clock import new_id, now
from personalization.runtime.http import Event, Response, check_user, http_handler, path_value, respond


@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
    """Answer 201 with a new guest and a token, or 200 with a new token for a guest that is known."""
    known = "user_id" in (event.get("pathParameters") or {})
    user_id = path_value(event, "user_id") if known else new_guest(new_id())
    check_user(event, user_id)
    issued = issue_guest_token(guest_secret().signing(), user_id, now=now())
    return respond(
        HTTPStatus.OK if known else HTTPStatus.CREATED, issued._asdict(), {"cache-control": "no-store"}
    )
