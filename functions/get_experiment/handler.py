"""GET /v1/experiments and /v1/experiments/{name}."""

from http import HTTPStatus
from typing import Any, Final

from functions.get_experiment.dependencies import dependencies
from personalization.experiment_results import ExperimentResults
from personalization.runtime.http import Event, Response, http_handler, path_value, problem, respond

_LONGEST_NAME: Final = 128


@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 200 with the results of one experiment, or with the verdicts of all.

    404 `not_analyzed_yet` if it is defined only, `unknown_experiment` if it is not even that.
    """
    if "name" not in (event.get("pathParameters") or {}):
        return respond(HTTPStatus.OK, {"experiments": _verdicts()})
    name = path_value(event, "name")
    found = dependencies().store.results([name]) if len(name) <= _LONGEST_NAME else []
    if found:
        return respond(HTTPStatus.OK, found[0])
    code, detail = "unknown_experiment", "no experiment of this name is defined"
    if dependencies().is_defined(name):
        code, detail = "not_analyzed_yet", "defined, and to be analyzed within the hour after it begins"
    return problem(HTTPStatus.NOT_FOUND, code, detail, context.aws_request_id)


def _verdicts() -> list[dict[str, Any]]:
    store = dependencies().store
    return [_brief(results) for results in store.results(store.analyzed())]


def _brief(results: ExperimentResults) -> dict[str, Any]:
    names = ("experiment", "surface", "as_of", "started_at", "users", "decision", "verdict")
    return {name: getattr(results, name) for name in names}
