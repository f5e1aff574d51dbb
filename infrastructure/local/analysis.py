"""Has the local AWS analyze its experiments now, rather than at the next full hour."""

import json
import time
from typing import Any, Final

from botocore.config import Config

from infrastructure.local.errors import LocalAwsError
from infrastructure.local.lifecycle import LocalAws

_PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 3.0
_CALL: Final = Config(read_timeout=900, retries={"total_max_attempts": 1})
"""An analysis takes what it takes, and is not to be asked for twice."""
Json = dict[str, Any]


def analyze(aws: LocalAws) -> list[Json]:
    """Analyze all experiments; return decision, verdict and users of each.

    Raises
    ------
    LocalAwsError
        The function failed; the message holds its error.
    """
    client = aws.client("lambda", config=_CALL)
    answer = client.invoke(FunctionName=aws.output("AnalysisFunctionName"), Payload=b"{}")
    body = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise LocalAwsError(f"analyze_experiments failed: {body.get('errorMessage', body)}")
    found: list[Json] = body["experiments"]
    return found


def analyze_until(aws: LocalAws, users: int) -> int:
    """Analyze until so many users are counted, or patience ends: exposures reach the lake by way of a log.

    Returns how many are counted, in all experiments together.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        counted = sum(int(one.get("users", 0)) for one in analyze(aws))
        if counted >= users or time.monotonic() > deadline:
            return counted
        time.sleep(_POLL_SECONDS)
