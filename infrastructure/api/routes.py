"""The table of routes: one entry is all that the document knows of a route.

Tests hold it to the templates (same routes, same functions), to the handlers (its examples are run), and to
what hostile input is answered (no status and no code that is not listed here).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from infrastructure.api.answers import (
    ConsentInForce,
    Experiments,
    GuestToken,
    Receipt,
    Recommendations,
    Trending,
)
from personalization.consent import ConsentChange
from personalization.erasure import ErasureReceipt
from personalization.events import MAX_BATCH_EVENTS, ClientEvent, Identifier, Item, SurfaceName
from personalization.experiment_results import ExperimentResults
from personalization.experiments import Name
from personalization.guests import GuestId
from personalization.holdings import Holdings
from personalization.lists import DEFAULT_LIMIT, MAX_LIMIT
from personalization.names import DEFAULT_SURFACE
from personalization.queries import MAX_EXCLUDED

Example = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of the path or the query; those of the path are required."""

    name: str
    kind: Any
    about: str
    example: Any
    default: Any = None
    place: Literal["path", "query"] = "query"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A body of one entry, an array of entries, or an object that holds them under `field`."""

    field: str
    kind: type
    example: tuple[Example, ...]
    limit: int = MAX_BATCH_EVENTS


class Callers(Enum):
    """Who may call a route: the name of the scheme of security."""

    USERS = "userToken"
    OPERATORS = "operatorToken"
    BACKENDS = "sigv4"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A body of one object."""

    kind: type
    example: Example


@dataclass(frozen=True, kw_only=True)
class Route:
    """One call of the API.

    Attributes
    ----------
    function
        The folder of `functions/` that answers.
    operation
        Name of the call; that of the function unless it answers several.
    status, answer
        Of success.
    problems
        Codes by the status they come with; what every function may answer (`ALWAYS`) is not repeated.
    callers
        Of a route outside of `/v1/server/`, which has a twin there for backends.
    """

    method: str
    path: str
    function: str
    summary: str
    status: int
    answer: type
    operation: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Batch | Entry | None = None
    problems: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    callers: Callers = Callers.USERS


ALWAYS: Final = {403: ("token_expired",), 500: ("internal_error",), 503: ("unavailable",)}
_REFUSED_BODIES: Final = {
    400: ("invalid_body", "invalid_json", "empty_batch", "too_many_events"),
    413: ("body_too_large",),
    503: ("stream_busy",),
}
_LIMIT: Final = Parameter(
    name="limit",
    kind=Annotated[int, Meta(ge=1, le=MAX_LIMIT)],
    about="How many items at most.",
    example=5,
    default=DEFAULT_LIMIT,
)
_GUEST: Final = "guest-0123456789abcdef0123456789abcdef"
_USER: Final = Parameter(
    name="user_id",
    place="path",
    kind=Identifier,
    about="The user, by your own id.",
    example="ann",
)
ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/server/guests",
        function="issue_guest_token",
        summary="Give a visitor who is not signed in an id and a token",
        status=201,
        answer=GuestToken,
        callers=Callers.BACKENDS,
    ),
    Route(
        method="PUT",
        path="/v1/server/guests/{user_id}",
        function="issue_guest_token",
        operation="renew_guest_token",
        summary="Give a guest a new token",
        status=200,
        answer=GuestToken,
        callers=Callers.BACKENDS,
        parameters=(
            Parameter(
                name="user_id",
                place="path",
                kind=GuestId,
                about="The guest, by the id it was given.",
                example=_GUEST,
            ),
        ),
        problems={400: ("not_a_guest",)},
    ),
    Route(
        method="POST",
        path="/v1/events",
        function="ingest_events",
        summary="Send what users did",
        status=202,
        answer=Receipt,
        body=Batch(
            field="events",
            kind=ClientEvent,
            example=(
                {
                    "event_id": "e-1",
                    "event_type": "click",
                    "user_id": "ann",
                    "item_id": "sku-1",
                    "occurred_at": "2026-01-15T12:00:00Z",
                    "surface": "home",
                    "context": {"country": "DE", "device": "mobile"},
                },
            ),
        ),
        problems=_REFUSED_BODIES,
    ),
    Route(
        method="PUT",
        path="/v1/items",
        function="put_items",
        summary="Write items of the catalogue",
        callers=Callers.OPERATORS,
        status=202,
        answer=Receipt,
        body=Batch(
            field="items",
            kind=Item,
            example=({"item_id": "sku-1", "title": "Desk lamp", "category": "lighting", "price": 39.9},),
        ),
        problems=_REFUSED_BODIES,
    ),
    Route(
        method="GET",
        path="/v1/users/{user_id}/recommendations",
        function="get_recommendations",
        summary="Recommend items to a user",
        status=200,
        answer=Recommendations,
        parameters=(
            _USER,
            Parameter(
                name="surface",
                kind=SurfaceName,
                about="The page or slot to fill.",
                example="home",
                default=DEFAULT_SURFACE,
            ),
            _LIMIT,
            Parameter(
                name="exclude",
                kind=Annotated[list[str], Meta(max_length=MAX_EXCLUDED)],
                about="Items to leave out, separated by commas.",
                example=["sku-2", "sku-3"],
            ),
            Parameter(
                name="country",
                kind=Annotated[str, Meta(pattern=r"^[A-Za-z]{2}\Z")],
                about="ISO 3166 code; CloudFront's header stands in for it.",
                example="DE",
            ),
            Parameter(name="device", kind=str, about="The kind of device.", example="mobile"),
            Parameter(
                name="referrer",
                kind=str,
                about="Where the visit came from: an address, or a medium; only its medium is used.",
                example="search",
            ),
            Parameter(
                name="session_id",
                kind=Identifier,
                about="The visit, for experiments whose unit is the session.",
                example="visit-1",
            ),
            Parameter(
                name="variant",
                kind=str,
                about="An experiment's variant to look at on purpose; such an answer counts for nothing.",
                example="home-ranking:model",
            ),
        ),
        problems={400: ("invalid_user_id", "invalid_parameter"), 403: ("not_your_user",)},
    ),
    Route(
        method="GET",
        path="/v1/users/{user_id}",
        function="get_user",
        summary="Tell what is held about a user",
        status=200,
        answer=Holdings,
        parameters=(_USER,),
        problems={400: ("invalid_user_id",)},
    ),
    Route(
        method="DELETE",
        path="/v1/users/{user_id}",
        function="delete_user",
        summary="Forget a user",
        status=202,
        answer=ErasureReceipt,
        parameters=(_USER,),
        problems={400: ("invalid_user_id",)},
    ),
    Route(
        method="GET",
        path="/v1/erasures/{erasure_id}",
        function="get_erasure",
        summary="The receipt of an erasure",
        status=200,
        answer=ErasureReceipt,
        parameters=(
            Parameter(
                name="erasure_id",
                place="path",
                kind=Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")],
                about="The erasure, as its first receipt names it.",
                example="5e78fac0056a15eec0461e11eef5830c",
            ),
        ),
        problems={404: ("unknown_erasure",)},
    ),
    Route(
        method="PUT",
        path="/v1/users/{user_id}/consent",
        function="put_consent",
        summary="Take down what a user agrees to",
        status=200,
        answer=ConsentInForce,
        parameters=(_USER,),
        body=Entry(kind=ConsentChange, example={"consent": "personalization"}),
        problems={
            400: ("invalid_user_id", "invalid_body", "invalid_json", "invalid_field"),
            403: ("not_your_user",),
        },
    ),
    Route(
        method="GET",
        path="/v1/trending",
        function="get_trending",
        summary="What is trending now, the same for everybody",
        status=200,
        answer=Trending,
        parameters=(_LIMIT,),
        problems={400: ("invalid_parameter",)},
    ),
    Route(
        method="GET",
        path="/v1/experiments",
        function="get_experiment",
        operation="list_experiments",
        summary="The verdict of every experiment that was analyzed",
        callers=Callers.OPERATORS,
        status=200,
        answer=Experiments,
    ),
    Route(
        method="GET",
        path="/v1/experiments/{name}",
        function="get_experiment",
        summary="The results of one experiment",
        callers=Callers.OPERATORS,
        status=200,
        answer=ExperimentResults,
        parameters=(
            Parameter(
                name="name",
                place="path",
                kind=Name,
                about="The experiment, as it is defined.",
                example="home-ranking",
            ),
        ),
        problems={404: ("unknown_experiment", "not_analyzed_yet")},
    ),
)


SERVER_ROUTES: Final = tuple(
    replace(
        route,
        path=route.path.replace("/v1/", "/v1/server/", 1),
        operation=f"server_{route.operation or route.function}",
        callers=Callers.BACKENDS,
    )
    for route in ROUTES
    if route.callers is not Callers.BACKENDS
)
"""The twins, which the same functions answer."""


def codes_of(route: Route, status: int) -> tuple[str, ...]:
    """Return the codes of a route's problems with this status."""
    return (*route.problems.get(status, ()), *ALWAYS.get(status, ()))
