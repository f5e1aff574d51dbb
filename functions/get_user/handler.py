"""GET /v1/users/{user_id}."""

from http import HTTPStatus
from typing import Any

from functions.get_user.dependencies import dependencies
from personalization.queries import check_user_id
from personalization.runtime.clock import now
from personalization.runtime.http import Event, Response, check_user, http_handler, path_value, respond


@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
    """Answer 200 with what is held about a person; their raw lines are gathered on the first question."""
    user_id = path_value(event, "user_id")
    check_user_id(user_id)
    check_user(event, user_id)
    deps = dependencies()
    held = deps.discloser.disclose(deps.user_key(user_id), deps.definitions(), now())
    return respond(HTTPStatus.OK, held)
