"""GET /v1/erasures/{erasure_id}."""

import re
from http import HTTPStatus
from typing import Any, Final

from functions.get_erasure.dependencies import receipts
from personalization.runtime.http import Event, Response, http_handler, path_value, problem, respond

_ID: Final = re.compile(r"[0-9a-f]{32}")


@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 200 with a receipt, which names nobody; 404 `unknown_erasure` if there is none of this id."""
    erasure_id = path_value(event, "erasure_id")
    receipt = receipts().receipt(erasure_id) if _ID.fullmatch(erasure_id) else None
    if receipt is None:
        detail = "there is no erasure of this id"
        return problem(HTTPStatus.NOT_FOUND, "unknown_erasure", detail, context.aws_request_id)
    return respond(HTTPStatus.OK, receipt)
