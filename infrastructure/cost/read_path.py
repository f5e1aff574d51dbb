"""From a request for recommendations to its answer, and to its exposure in the lake."""

from collections.abc import Iterator
from typing import Final

from infrastructure.cost.quantities import ASSUMED, MEASURED
from infrastructure.cost.traffic import SECONDS
from infrastructure.cost.usage import (
    GB,
    Basis,
    Plan,
    Usage,
    Work,
    calls_of,
    containers,
    milliseconds,
    starts,
)

CACHE_SECONDS: Final = 10.0
"""How long a container keeps what all users share, as `personalization.serving` does."""
POLL_SECONDS: Final = 30.0
"""How often it asks for the experiments' definitions at most."""
_SECRETS: Final = 2


def read_path(plan: Plan) -> Iterator[Usage]:
    """Return what answers use."""
    requests = plan.traffic.requests
    yield Usage("API Gateway", "requests for recommendations", "api_request", requests, Basis.MEASURED)
    out = requests * MEASURED.answer_bytes / GB
    if plan.inventory.distributions:
        every = requests + plan.traffic.posts
        yield Usage("CloudFront", "requests", "distribution_request", every, Basis.MEASURED)
        yield Usage("CloudFront", "answers", "distribution_gb", out, Basis.MEASURED)
    else:
        yield Usage("Data transfer", "answers", "data_out_gb", out, Basis.MEASURED)
    if plan.inventory.web_acls:
        every = requests + plan.traffic.posts
        yield Usage("WAF", "requests", "web_acl_request", every, Basis.MEASURED)
    yield from calls_of(plan, "get_recommendations", answer_work(plan))
    yield Usage(
        "DynamoDB", "answers", "table_read_unit", requests * MEASURED.answer_read_units, Basis.MEASURED
    )
    yield from _containers(plan)
    yield from _exposures(plan)


def answer_work(plan: Plan) -> Work:
    """Return what the calls of `get_recommendations` take."""
    return Work(
        calls=plan.traffic.requests,
        processor_ms=MEASURED.answer_ms,
        wait_ms=ASSUMED.table_read_ms,
        log_bytes=MEASURED.answer_log_bytes,
        lines=MEASURED.answer_log_lines,
    )


def answer_ms(plan: Plan) -> float:
    """Return how long a call of `get_recommendations` takes."""
    work = answer_work(plan)
    memory = plan.inventory.functions["get_recommendations"].memory_mb
    return milliseconds(memory, work.processor_ms, work.wait_ms)


def _containers(plan: Plan) -> Iterator[Usage]:
    """What containers read for all users, and ask when they start."""
    requests = plan.traffic.requests
    kept = containers(requests, answer_ms(plan))
    looks = min(requests, kept * SECONDS / CACHE_SECONDS)
    shared = looks * MEASURED.shared_read_units
    yield Usage("DynamoDB", "what answers share", "table_read_unit", shared, Basis.PARTLY)
    polls = min(requests, kept * SECONDS / POLL_SECONDS)
    yield Usage("AppConfig", "polls for experiments", "configuration_request", polls, Basis.ASSUMED)
    begun = starts(plan.traffic, requests, answer_ms(plan))
    yield Usage("AppConfig", "experiments received", "configuration_received", begun, Basis.ASSUMED)
    yield Usage("Secrets Manager", "reads at start", "secret_read", _SECRETS * begun, Basis.ASSUMED)


def deliveries(plan: Plan) -> float:
    """Return how often a month's exposures are handed over: those of a second together, up to a number."""
    requests = plan.traffic.requests
    together = min(ASSUMED.lines_a_delivery, max(1.0, requests / SECONDS))
    return requests / together


def _exposures(plan: Plan) -> Iterator[Usage]:
    traffic = plan.traffic
    calls = deliveries(plan)
    lines = traffic.requests / calls if calls else 0.0
    work = Work(
        calls=calls,
        processor_ms=MEASURED.deliver_ms + MEASURED.deliver_line_ms * lines,
        wait_ms=ASSUMED.object_ms,
        log_bytes=MEASURED.deliver_log_bytes,
    )
    yield from calls_of(plan, "archive_exposures", work)
    yield Usage("S3", "deliveries of exposures", "objects_put", calls, Basis.ASSUMED)
    kept = traffic.requests * traffic.history_months * MEASURED.exposure_bytes / GB
    yield Usage("S3", "exposures kept", "objects_gb_month", kept, Basis.MEASURED)
