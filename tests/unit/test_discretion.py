"""A log tells of a fault what happened and where, and nothing of what it quotes."""

import json
from io import StringIO
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from personalization.errors import CorruptData, InvalidInput, Unavailable
from personalization.runtime.discretion import DiscreetFormatter, InvocationFailedError, hidden
from personalization.runtime.http import http_handler
from personalization.runtime.observability import logger, worker

WHO = "ann"
CONTEXT = SimpleNamespace(aws_request_id="r-1", function_name="f")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    written = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return written


def refused(code: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "of ann"}, "ResponseMetadata": {"RequestId": "r-2"}}
    return ClientError(answer, "PutItem")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("ann"), "ValueError"),
        (InvalidInput("too_large", "the body of ann"), "InvalidInput: too_large"),
        (Unavailable("Throttled"), "Unavailable: Throttled"),
        (refused("ValidationException"), "ClientError: ValidationException of PutItem, request r-2"),
    ],
)
def test_a_fault_is_told_by_kind_place_and_cause(lines: StringIO, error: Exception, told: str) -> None:
    @http_handler
    def handler(event: object, context: object) -> dict[str, object]:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError(WHO) from cause

    assert handler({}, CONTEXT)["statusCode"] == 500
    line = json.loads(lines.getvalue())
    first, _, second = line["exception"].partition("\n" + told + "\n")
    assert "raise error" in first
    assert second.endswith("RuntimeError")
    assert line["exception_name"] == "RuntimeError"
    assert "ann" not in lines.getvalue().replace("handler", "")


def test_who_was_refused_what_is_told_to_operators(lines: StringIO) -> None:
    try:
        raise refused("AccessDenied")
    except ClientError:
        logger.exception("no")
    assert "(AccessDenied) when calling the PutItem operation: of ann" in lines.getvalue()


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (KeyError("ann"), InvocationFailedError, "KeyError"),
        (CorruptData("damaged"), CorruptData, "damaged"),
    ],
)
def test_a_worker_raises_what_may_be_told(error: Exception, raised: type[Exception], text: str) -> None:
    @worker
    def handler(event: object, context: object) -> None:
        raise error

    with pytest.raises(raised) as found:
        handler({}, CONTEXT)
    assert str(found.value) == text
    assert found.value.__suppress_context__


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abcdefgh.ijkl",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmVk",
        "203.0.113.7",
        "2001:db8::7",
        "2001:0db8:0:0:0:0:0:0007",
        "X-Amz-Signature=0123456789abcdef",
        "AWS4-HMAC-SHA256 Credential=AKIA/20260115/us-east-1/s3/aws4_request, Signature=0123",
        "A" * 129,
    ],
)
def test_what_looks_like_a_token_or_an_address_is_hidden(secret: str) -> None:
    assert hidden(json.dumps({"what": secret, "next": 1})) == '{"what": "[redacted]", "next": 1}'


@pytest.mark.parametrize(
    "harmless", ["2026-01-15 12:00:00,123+0000", "0.1.0+test", "arn:aws:sqs:eu-west-1::q", "u" * 64]
)
def test_times_versions_names_and_keys_stay(harmless: str) -> None:
    assert hidden(harmless) == harmless


def test_lines_keep_what_powertools_gives_them(lines: StringIO) -> None:
    assert isinstance(logger.registered_formatter, DiscreetFormatter)
    logger.info("stored", files=3)
    line = json.loads(lines.getvalue())
    assert {"level", "location", "message", "timestamp", "service", "files"} <= set(line)
