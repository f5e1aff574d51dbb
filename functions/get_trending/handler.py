"""GET /v1/trending."""

from http import HTTPStatus
from typing import Any

from functions.get_trending.dependencies import dependencies
from personalization.keys import TRENDING
from personalization.queries import parse_limit
from personalization.runtime.clock import now
from personalization.runtime.http import Event, Response, http_handler, query_values, respond
from personalization.serving import shared_list


@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
    """Answer 200 with what is trending, the same for everybody."""
    deps = dependencies()
    limit = parse_limit(query_values(event))
    items, version = shared_list(TRENDING, store=deps.store, shared=deps.shared, limit=limit, now=now())
    return respond(HTTPStatus.OK, {"items": items, "model_version": version})
