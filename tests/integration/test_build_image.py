"""The image of the jobs: CloudFormation asks, CodeBuild builds, CloudFormation is told in any case."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from functions.build_image import building
from functions.build_image.dependencies import builds
from functions.build_image.handler import handler


class Answers:
    """The presigned address that CloudFormation gives; keeps what is put there."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                length = int(self.headers["Content-Length"])
                answers.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/answer?signature=x"


@pytest.fixture
def answers() -> Iterator[Answers]:
    answers = Answers()
    yield answers
    answers.server.shutdown()


@pytest.fixture
def codebuild(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """CodeBuild's client with scripted answers: moto's builds all succeed at once."""
    monkeypatch.setattr(building, "POLL_SECONDS", 0)
    builds.cache_clear()
    monkeypatch.setattr(boto3, "client", lambda name, make=boto3.client: make(name, region_name="us-east-1"))
    with Stubber(builds()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    builds.cache_clear()


def build_is(*states: str) -> list[dict[str, Any]]:
    logs = {"deepLink": "https://console/log"}
    return [{"id": "images:1", "buildStatus": state, "logs": logs} for state in states]


def script(codebuild: Stubber, *states: str) -> None:
    first, *later = build_is(*states)
    asked = {"projectName": "images", "idempotencyToken": "images-abc"}
    codebuild.add_response("start_build", {"build": first}, asked)
    for found in later:
        codebuild.add_response("batch_get_builds", {"builds": [found]}, {"ids": ["images:1"]})


def ask(answers: Answers, kind: str, *, minutes: float = 15, **more: Any) -> dict[str, Any]:
    event = {
        "RequestType": kind,
        "ResponseURL": answers.url,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Built",
        "ResourceProperties": {"Project": "images", "Tag": "abc"},
        **more,
    }
    handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: int(minutes * 60_000)))
    (answer,) = answers.bodies
    return answer


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_deployment_goes_on_once_the_image_is_built(
    answers: Answers, codebuild: Stubber, kind: str
) -> None:
    script(codebuild, "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED")
    answer = ask(answers, kind)
    assert answer == {
        "Status": "SUCCESS",
        "PhysicalResourceId": "abc",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Built",
    }


def test_a_build_that_fails_fails_the_deployment_and_says_where_its_log_is(
    answers: Answers, codebuild: Stubber
) -> None:
    script(codebuild, "IN_PROGRESS", "FAILED")
    answer = ask(answers, "Create")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "image abc: the build FAILED; see https://console/log"


def test_cloudformation_is_told_in_time_when_a_build_takes_too_long(
    answers: Answers, codebuild: Stubber
) -> None:
    script(codebuild, "IN_PROGRESS")
    answer = ask(answers, "Create", minutes=0.4)
    assert (answer["Status"], "IN_PROGRESS" in answer["Reason"]) == ("FAILED", True)


def test_cloudformation_is_told_of_an_error_of_the_call_itself(answers: Answers, codebuild: Stubber) -> None:
    codebuild.add_client_error("start_build", "ResourceNotFoundException", "no such project")
    answer = ask(answers, "Create")
    assert "no such project" in answer["Reason"]


def test_deleting_builds_nothing_and_leaves_the_image_to_the_models_that_name_it(
    answers: Answers, codebuild: Stubber
) -> None:
    assert ask(answers, "Delete", PhysicalResourceId="old")["PhysicalResourceId"] == "old"
