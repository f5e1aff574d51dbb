"""The deployed API, asked what its document allows and much that it does not, answers as documented."""

from collections import Counter
from http import HTTPStatus

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infrastructure.api.document import document
from infrastructure.api.routes import ROUTES, Route
from infrastructure.local.lifecycle import LocalAws

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 25
"""Of each route and kind of data; a call takes about 0.1 s on the local AWS."""
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value
)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation or route.function)
def test_a_route_answers_as_documented(route: Route, mode: GenerationMode, platform: LocalAws) -> None:
    if not (route.parameters or route.body):
        if mode is GenerationMode.NEGATIVE:
            pytest.skip("a route without parameters and body can't be asked in a wrong way")
        assert asked(platform.api_url, route.path, route.method, mode) == {route.status: 1}
        return
    answers = asked(platform.api_url, route.path, route.method, mode)
    assert answers.total() >= EXAMPLES // 2
    # Names that were made up are names of nothing, where a route answers 404.
    if mode is GenerationMode.POSITIVE and HTTPStatus.NOT_FOUND not in route.problems:
        assert answers[route.status] > 0


def asked(url: str, path: str, method: str, mode: GenerationMode) -> Counter[int]:
    """Call a route with generated data, check every answer, and count them by status."""
    operation = schemathesis.openapi.from_dict(document())[path][method]
    answers = Counter[int]()

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        response = case.call(base_url=url)
        answers[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    ask()
    return answers
