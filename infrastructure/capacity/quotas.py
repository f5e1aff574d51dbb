"""Reads the quotas, and says which of them and of the environment's own limits a plan uses how far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import yaml

from infrastructure.fields import Environment

QUOTAS: Final = Path(__file__).parent / "quotas.yaml"


@dataclass(frozen=True, slots=True)
class Limit:
    """What may not be passed.

    Attributes
    ----------
    raised
        What lifts it: a request to AWS, a field of the environment, or nothing.
    """

    name: str
    of: str
    limit: float
    unit: str
    raised: str
    source: str


def read_quotas(path: Path = QUOTAS) -> tuple[date, Mapping[str, Limit]]:
    """Return AWS's quotas by name, and as of when they are."""
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {
        name: Limit(
            name,
            entry["of"],
            float(entry["limit"]),
            entry["unit"],
            "on request" if entry["adjustable"] else "no",
            entry["source"],
        )
        for name, entry in body["quotas"].items()
    }
    return body["date"], found


def own_limits(environment: Environment, *, job_hours: float, instance_gb: float) -> Mapping[str, Limit]:
    """Return the limits that the project sets itself."""
    throttle = environment.throttle.requests_per_second
    refreshing = environment.refresh_concurrency
    return {
        "stage_requests": _own("the API's stage", throttle, "requests a second", "`throttle`"),
        "refreshes_at_once": _own("refreshing lists", refreshing, "calls at once", "`refresh_concurrency`"),
        "job_hours": _own("a step of a night", job_hours, "hours", "see below"),
        "instance_gigabytes": _own("the largest instance priced", instance_gb, "GB", "see below"),
    }


def _own(of: str, limit: float, unit: str, raised: str) -> Limit:
    return Limit("", of, float(limit), unit, raised, "`infrastructure/environments.py`")
