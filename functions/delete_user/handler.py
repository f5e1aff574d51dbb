"""DELETE /v1/users/{user_id}."""

from http import HTTPStatus
from typing import Any

from functions.delete_user.dependencies import dependencies
from personalization.queries import check_user_id
from personalization.runtime.http import Event, Response, check_user, http_handler, path_value, respond


@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
    """Answer 202 with a receipt: profile and lists are gone, what rests elsewhere follows within minutes."""
    user_id = path_value(event, "user_id")
    check_user_id(user_id)
    check_user(event, user_id)
    deps = dependencies()
    return respond(HTTPStatus.ACCEPTED, deps.eraser.erase(deps.user_key(user_id)))
