"""Who may act for whom."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from personalization.errors import Forbidden
from personalization.runtime.http import check_user, http_handler


def called_by(subject: str | None) -> dict[str, Any]:
    """A request of an app, with the token of its user, or of a backend."""
    authorizer = {"iam": {"userArn": "arn"}} if subject is None else {"jwt": {"claims": {"sub": subject}}}
    return {"requestContext": {"authorizer": authorizer}}


@pytest.mark.parametrize("subject", ["ann", None])
def test_an_app_acts_for_its_own_user_and_a_backend_for_everybody(subject: str | None) -> None:
    check_user(called_by(subject), "ann")


@pytest.mark.parametrize("subject", ["bob", "Ann", "ann ", ""])
def test_an_app_acts_for_nobody_else(subject: str) -> None:
    with pytest.raises(Forbidden, match="not_your_user"):
        check_user(called_by(subject), "ann")


def test_what_is_forbidden_is_answered_as_such() -> None:
    answer = http_handler(lambda event, _: check_user(event, "ann") or {})(
        called_by("bob"), SimpleNamespace(aws_request_id="r-1")
    )
    assert answer["statusCode"] == 403
    assert json.loads(answer["body"])["code"] == "not_your_user"
