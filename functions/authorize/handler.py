"""The authorizer of the API's routes for browsers and apps (payload 2.0, simple responses)."""

from collections.abc import Mapping
from typing import Any

from functions.authorize.dependencies import admission
from personalization.errors import InvalidToken
from personalization.names import Metric
from personalization.runtime.clock import now
from personalization.runtime.observability import count, logger, worker


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Let a caller in and say who it is; the gateway remembers the answer by the header that was looked at.

    An outage is no answer: it raises, which the gateway answers by 500 and doesn't remember.
    """
    try:
        caller = admission().admit(event["identitySource"][0], now=now())
    except InvalidToken as error:
        count(Metric.TOKENS_REFUSED)
        logger.info("token refused", reason=error.code)
        return {"isAuthorized": False}
    return {"isAuthorized": True, "context": {"sub": caller.user_id, "until": int(caller.until.timestamp())}}
