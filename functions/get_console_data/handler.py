"""GET /v1/admin/alarms, click-rates, experiments, models, users/{user_id}."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from functions.get_console_data import sections
from functions.get_console_data.dependencies import dependencies
from personalization.queries import parse_query
from personalization.runtime.clock import now
from personalization.runtime.http import Event, Response, http_handler, path_value, query_values, respond
from personalization.runtime.observability import logger

_PRIVATE: Final = {"cache-control": "no-store"}


@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
    """Answer 200 with one section of the console, by the route that was called."""
    answer = _SECTIONS[event["routeKey"]]
    return respond(HTTPStatus.OK, answer(event), _PRIVATE)


def _alarms(event: Event) -> object:  # noqa: ARG001
    return sections.alarms(dependencies(), now())


def _click_rates(event: Event) -> object:
    return sections.click_rates(dependencies(), query_values(event).get("hours", "3"), now())


def _experiments(event: Event) -> object:  # noqa: ARG001
    return sections.experiments(dependencies(), now())


def _models(event: Event) -> object:  # noqa: ARG001
    return sections.models(dependencies(), now())


def _user(event: Event) -> object:
    deps = dependencies()
    query = parse_query(
        path_value(event, "user_id"), query_values(event), user_key=deps.user_key, viewer_country=None
    )
    logger.info("an operator looked at a user", user_key=query.user_key, operator=_operator(event))
    return sections.user(deps, query, now())


_SECTIONS: Final[Mapping[str, Callable[[Event], object]]] = {
    "GET /v1/admin/alarms": _alarms,
    "GET /v1/admin/click-rates": _click_rates,
    "GET /v1/admin/experiments": _experiments,
    "GET /v1/admin/models": _models,
    "GET /v1/admin/users/{user_id}": _user,
}


def _operator(event: Event) -> str:
    """Who asks, as the access token says; nobody's name where the API is open."""
    claims = event.get("requestContext", {}).get("authorizer", {}).get("jwt", {}).get("claims", {})
    return str(claims.get("username") or claims.get("sub") or "anybody")
