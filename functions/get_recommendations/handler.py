"""GET /v1/users/{user_id}/recommendations."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from functions.get_recommendations.dependencies import dependencies
from personalization.experiments import Assignment
from personalization.names import Dimension, Metric
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


@http_handler
def handler(event: Event, context: Any) -> Response:  # noqa: ARG001
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
    logger.info(
        "exposure",
        user_key=query.user_key,
        surface=query.surface,
        source=answer.source,
        assignments=msgspec.to_builtins(answer.assignments),
    )
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
        },
    )


def _shown(assignments: Iterable[Assignment]) -> list[dict[str, str]]:
    return [{"experiment": row.experiment, "variant": row.variant} for row in assignments]
