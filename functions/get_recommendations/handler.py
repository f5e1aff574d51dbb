"""GET /v1/users/{user_id}/recommendations."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from functions.get_recommendations.dependencies import dependencies
from personalization.experiments import Assignment
from personalization.exposures import MESSAGE, Exposure, assigned
from personalization.names import Consent, Dimension, Metric
from personalization.queries import parse_query
from personalization.runtime.http import (
    Event,
    Response,
    header,
    http_handler,
    is_app,
    path_value,
    query_values,
    respond,
)
from personalization.runtime.observability import count_by, logger
from personalization.serving import Query, Recommendations
from personalization.tokens import tail


@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 200 with items, their source, and the receipt that events bring back."""
    deps = dependencies()
    query = parse_query(
        path_value(event, "user_id"),
        query_values(event),
        user_key=deps.user_key,
        viewer_country=header(event, "cloudfront-viewer-country"),
        may_force=not is_app(event),
    )
    answer = deps.recommender.recommend(query)
    count_by(Metric.RECOMMENDATIONS_SERVED, {Dimension.SOURCE: answer.source})
    if answer.consent is Consent.PERSONALIZATION:
        _leave_exposure(event, context, query, answer)
    forced = {"forced": _shown(query.forced)} if query.forced else {}
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
            "experiments": "in_force" if answer.experiments_known else "unavailable",
            "consent": answer.consent,
        },
    )


def _leave_exposure(event: Event, context: Any, query: Query, answer: Recommendations) -> None:
    """Log who was shown what: the line is the record, and names its user (docs/decisions/0054, 0070)."""
    exposure = Exposure(
        request_id=context.aws_request_id,
        at=answer.issued_at,
        user_key=query.user_key,
        surface=query.surface,
        list_id=answer.list_id,
        source=answer.source,
        model_version=answer.model_version or "",
        receipt=tail(answer.recommendation_id),
        assignments=assigned(answer.assignments, forced=query.forced),
        session_id=query.session_id,
        **answer.facts._asdict(),
        bot=dependencies().is_bot_calling(header(event, "user-agent") or ""),
    )
    # A subscription of the log brings it to the lake.
    logger.info(MESSAGE, exposure=msgspec.to_builtins(exposure))


def _shown(assignments: Iterable[Assignment]) -> list[dict[str, str]]:
    return [{"experiment": row.experiment, "variant": row.variant} for row in assignments]
