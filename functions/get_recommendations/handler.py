"""GET /v1/users/{user_id}/recommendations."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from functions.get_recommendations.dependencies import Dependencies, answer_seconds, dependencies, keyless
from personalization.deadlines import Deadline
from personalization.errors import Unavailable
from personalization.experiments import Assignment
from personalization.exposures import MESSAGE, Exposure, assigned
from personalization.names import Consent, Dimension, Metric
from personalization.queries import parse_query
from personalization.runtime.due import due_in
from personalization.runtime.http import (
    Event,
    Response,
    check_user,
    header,
    http_handler,
    is_app,
    path_value,
    query_values,
    respond,
)
from personalization.runtime.observability import count_by, count_degraded, logger
from personalization.serving import Query, Recommendations
from personalization.tokens import tail


@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 200 with items, their source, and the receipt that events bring back.

    Without the keys nobody is known and nothing can be signed: the answer is anybody's, with no exposure.
    """
    check_user(event, path_value(event, "user_id"))
    due = _due(context)
    try:
        deps = dependencies()
    except Unavailable:
        query = _query(event, lambda _: "")
        return _respond(query, keyless().recommend_to_anybody(query, due))
    query = _query(event, deps.user_key)
    answer = deps.recommender().recommend(query, due)
    if answer.consent is Consent.PERSONALIZATION:
        _log_exposure(event, context, deps, query, answer)
    return _respond(query, answer)


def _due(context: Any) -> Deadline:
    return due_in(answer_seconds(), context)


def _query(event: Event, user_key: Callable[[str], str]) -> Query:
    return parse_query(
        path_value(event, "user_id"),
        query_values(event),
        user_key=user_key,
        viewer_country=header(event, "cloudfront-viewer-country"),
        may_force=not is_app(event),
    )


def _log_exposure(
    event: Event, context: Any, deps: Dependencies, query: Query, answer: Recommendations
) -> None:
    """Log who was shown what: the line is the record, and names its user (docs/decisions/0054, 0070)."""
    exposure = Exposure(
        request_id=context.aws_request_id,
        at=answer.issued_at,
        user_key=query.user_key,
        surface=query.surface,
        list_id=answer.list_id,
        source=answer.source,
        model_version=answer.model_version or "",
        receipt=tail(answer.recommendation_id or ""),
        assignments=assigned(answer.assignments, forced=() if answer.degraded else query.forced),
        session_id=query.session_id,
        **answer.facts._asdict(),
        bot=deps.is_bot_calling(header(event, "user-agent") or ""),
        degraded=answer.degraded,
    )
    # A subscription of the log brings it to the lake.
    logger.info(MESSAGE, exposure=msgspec.to_builtins(exposure))


def _respond(query: Query, answer: Recommendations) -> Response:
    count_by(Metric.RECOMMENDATIONS_SERVED, {Dimension.SOURCE: answer.source})
    forced = {"forced": _shown(query.forced)} if query.forced and not answer.degraded else {}
    degraded = {"degraded": answer.degraded} if answer.degraded else {}
    if answer.degraded:
        count_degraded(answer.degraded)
    return respond(
        HTTPStatus.OK,
        {
            "recommendation_id": answer.recommendation_id,
            "label": answer.label,
            "items": answer.items,
            "source": answer.source,
            "model_version": answer.model_version,
            "assignments": _shown(answer.assignments),
            **forced,
            **degraded,
            "experiments": "in_force" if answer.experiments_known else "unavailable",
            "consent": answer.consent,
        },
    )


def _shown(assignments: Iterable[Assignment]) -> list[dict[str, str]]:
    return [{"experiment": row.experiment, "variant": row.variant} for row in assignments]
