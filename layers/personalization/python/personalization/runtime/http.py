"""HTTP at the edge: what API Gateway sends (payload version 2), what it gets back, errors in one place.

Errors are problem details (RFC 9457) with a stable `code` and the request id.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from zlib import crc32

import msgspec

from personalization.errors import Forbidden, InvalidInput, Unavailable
from personalization.names import RETRY_AFTER_SECONDS
from personalization.runtime.observability import logger

Event = Mapping[str, Any]
Response = dict[str, Any]
Handler = Callable[[Event, Any], Response]
_STATUS = {"body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE}


def respond(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """Build a JSON response."""
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": msgspec.json.encode(body).decode(),
    }


def problem(status: HTTPStatus, code: str, detail: str, request_id: str) -> Response:
    """Build a problem-details response."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    headers = {"content-type": "application/problem+json"}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        # By the request's id: clients that were refused together don't come back together.
        headers["retry-after"] = str(1 + crc32(request_id.encode()) % RETRY_AFTER_SECONDS)
    return respond(status, body, headers)


def http_handler(handler: Handler) -> Handler:
    """Turn what a handler raises into an answer: 4xx for bad input, 503 when a dependency is down."""

    @wraps(handler)
    def answer(event: Event, context: Any) -> Response:
        request_id = getattr(context, "aws_request_id", "")
        try:
            _check_time(event)
            return handler(event, context)
        except InvalidInput as error:
            status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
            return problem(status, error.code, error.reason, request_id)
        except Forbidden as error:
            return problem(HTTPStatus.FORBIDDEN, error.code, error.reason, request_id)
        except Unavailable:
            logger.exception("a dependency is unavailable")
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "try again", request_id)
        except Exception:
            logger.exception("unexpected error")
            detail = "quote the request id when you report this"
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail, request_id)

    return answer


def body_of(event: Event) -> bytes:
    """Return the request body as bytes, decoded if API Gateway sent it as base64.

    Raises
    ------
    InvalidInput
        `invalid_body`: says base64 and isn't, or is no text.
    """
    body = event.get("body") or ""
    try:
        return b64decode(body, validate=True) if event.get("isBase64Encoded") else str(body).encode()
    except UnicodeEncodeError:
        raise InvalidInput("invalid_body", "the body is not valid Unicode") from None
    except (Base64Error, ValueError):
        raise InvalidInput("invalid_body", "the body is not valid base64") from None


def header(event: Event, name: str) -> str | None:
    """Return a request header; API Gateway sends names in lower case."""
    value = (event.get("headers") or {}).get(name)
    return _text(value) if value else None


def is_app(event: Event) -> bool:
    """Whether a browser or an app calls, with a token of its user, and not a backend of the account."""
    return subject_of(event) is not None


def check_user(event: Event, user_id: str) -> None:
    """Let an app act for its own user only; a backend of the account acts for everybody.

    Raises
    ------
    Forbidden
        `not_your_user`.
    """
    subject = subject_of(event)
    if subject is not None and (not subject or subject != user_id):
        raise Forbidden("not_your_user", "the token is another user's")


def subject_of(event: Event) -> str | None:
    """Who the caller's token says they are; None for a backend, which has none.

    The function `authorize` names the subject, an authorizer of the gateway the token's claims. Either way
    ids are compared as they are: what only looks alike is somebody else.
    """
    authorizer = _authorizer(event)
    if "lambda" in authorizer:
        return str((authorizer["lambda"] or {}).get("sub", ""))
    if "jwt" in authorizer:
        return str(authorizer["jwt"].get("claims", {}).get("sub", ""))
    return None


def _authorizer(event: Event) -> Mapping[str, Any]:
    return event.get("requestContext", {}).get("authorizer") or {}


def _check_time(event: Event) -> None:
    """Refuse a token that ended while the gateway remembered it, by the gateway's own time of the request."""
    until = (_authorizer(event).get("lambda") or {}).get("until")
    if until is not None and float(until) * 1000 <= event["requestContext"]["timeEpoch"]:
        raise Forbidden("token_expired", "the token is over; get a new one")


def path_value(event: Event, name: str) -> str:
    """Return a path parameter, percent-decoded."""
    return unquote(_text((event.get("pathParameters") or {}).get(name, "")))


def query_values(event: Event) -> Mapping[str, str]:
    """Return the query parameters; repeated ones arrive joined by commas."""
    return {name: _text(value) for name, value in (event.get("queryStringParameters") or {}).items()}


def _text(value: object) -> str:
    """Text as UTF-8 can hold it: what is no character, half of a surrogate pair, is a question mark."""
    return str(value).encode(errors="replace").decode()
