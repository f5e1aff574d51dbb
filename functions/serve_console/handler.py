"""GET /v1/console and /v1/console/{asset}: public, so this function may read nothing but its own files."""

from http import HTTPStatus
from typing import Any, Final

from functions.serve_console.dependencies import assets, settings
from functions.serve_console.settings import NO_SIGN_IN, Settings
from personalization.runtime.http import Event, Response, header, http_handler, path_value, problem

INDEX: Final = "index.html"
_HEADERS: Final = {
    # Asked for again each time, and answered in full only after a deployment changed it.
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


@http_handler
def handler(event: Event, context: Any) -> Response:
    """Answer 200 with a file of the page, 304 if the browser has it, or 404."""
    name = path_value(event, "asset") or INDEX
    found = assets().get(name)
    if found is None:
        request_id = str(context.aws_request_id)
        return problem(HTTPStatus.NOT_FOUND, "no_such_asset", "the console has no such file", request_id)
    headers = {**_HEADERS, "content-security-policy": content_security_policy(settings()), "etag": found.etag}
    if header(event, "if-none-match") == found.etag:
        return {"statusCode": int(HTTPStatus.NOT_MODIFIED), "headers": headers}
    headers["content-type"] = found.content_type
    return {"statusCode": int(HTTPStatus.OK), "headers": headers, "body": found.body}


def content_security_policy(known: Settings) -> str:
    """Allow the page its own files and data, and the sign-in's tokens; nothing inline, nothing of others."""
    connect = "'self'" if known.sign_in_url == NO_SIGN_IN else f"'self' {known.sign_in_url}"
    allowed = f"script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
