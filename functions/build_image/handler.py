"""Answers CloudFormation's requests for an image of the training jobs."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.request import Request, urlopen

from functions.build_image.building import build
from functions.build_image.dependencies import builds
from personalization.runtime.observability import logger

_SHOWN_CHARACTERS: Final = 1_000
"""CloudFormation takes an answer of 4 KB at most."""


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Build `{"ResourceProperties": {"Project", "Tag"}}` on create and update; deleting leaves images be."""
    wanted = event["ResourceProperties"]
    answer = {"Status": "SUCCESS", "PhysicalResourceId": event.get("PhysicalResourceId", wanted["Tag"])}
    if event["RequestType"] != "Delete":
        answer["PhysicalResourceId"] = wanted["Tag"]
        try:
            build(
                builds(),
                wanted["Project"],
                wanted["Tag"],
                seconds_left=lambda: context.get_remaining_time_in_millis() / 1_000,
            )
        except Exception as error:
            # The outermost edge: CloudFormation waits for an answer, whatever went wrong.
            logger.exception("build failed", tag=wanted["Tag"])
            answer |= {"Status": "FAILED", "Reason": str(error)[:_SHOWN_CHARACTERS]}
    _tell(event, answer)


def _tell(event: Mapping[str, Any], answer: Mapping[str, str]) -> None:
    """Put the answer to the presigned address of the request."""
    known = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    body = json.dumps(known | dict(answer)).encode()
    request = Request(event["ResponseURL"], data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310
    with urlopen(request, timeout=20) as response:  # noqa: S310
        logger.info("answered", status=answer["Status"], http_status=response.status)
