"""GET /v1/trending."""

from http import HTTPStatus
from typing import Any

from functions.get_trending.dependencies import dependencies
from personalization.keys import TRENDING
from personalization.queries import parse_limit
from personalization.runtime.clock import now
from personalization.runtime.due import due_in
from personalization.runtime.http import Event, Response, http_handler, query_values, respond
from personalization.runtime.observability import count_degraded


@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 200 with what is trending, the same for everybody."""
    deps = dependencies()
    limit = parse_limit(query_values(event))
    deadline = due_in(deps.answer_seconds, context)
    items, version, degraded = deps.reader.items(TRENDING, limit=limit, now=now(), deadline=deadline)
    if degraded:
        count_degraded(degraded)
    body = {"items": items, "model_version": version}
    return respond(HTTPStatus.OK, body | ({"degraded": degraded} if degraded else {}))
