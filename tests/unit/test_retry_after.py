"""When a client that was refused is asked to come back."""

from http import HTTPStatus

from personalization.errors import Unavailable
from personalization.names import RETRY_AFTER_SECONDS
from personalization.runtime.http import http_handler, problem


def waits(status: HTTPStatus) -> list[str | None]:
    answers = (problem(status, "code", "detail", f"request-{number}") for number in range(400))
    return [answer["headers"].get("retry-after") for answer in answers]


def test_clients_that_were_refused_together_are_spread_over_the_next_seconds() -> None:
    shares = [
        waits(HTTPStatus.SERVICE_UNAVAILABLE).count(str(wait)) for wait in range(1, RETRY_AFTER_SECONDS + 1)
    ]
    assert sum(shares) == 400
    assert min(shares) > 50


def test_whoever_is_at_fault_is_not_asked_to_come_back() -> None:
    assert set(waits(HTTPStatus.BAD_REQUEST)) == {None}


def test_a_dependency_that_is_away_is_a_503_that_says_when_to_come_back() -> None:
    @http_handler
    def handler(event, context):
        raise Unavailable("secret detail")

    answer = handler({}, None)
    assert answer["statusCode"] == 503
    assert 1 <= int(answer["headers"]["retry-after"]) <= RETRY_AFTER_SECONDS
    assert "secret detail" not in answer["body"]
