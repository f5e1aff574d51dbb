"""Known vulnerabilities of what the lock files name, asked of OSV by uv; the last answer is kept."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from uv import find_uv_bin

from supply_chain.shipped import LOCAL_AWS, ROOT

PROJECTS: Final = (".", LOCAL_AWS)
CACHE: Final = ROOT / ".local" / "advisories"
_FOUND_SOME: Final = 1
_SECONDS: Final = 60
_ONCE: Final = {**os.environ, "UV_HTTP_RETRIES": "0"}
"""Who has no network is told so at once."""


@dataclass(frozen=True)
class Accepted:
    """A vulnerability that is known and lived with until a day."""

    id: str
    reason: str
    until: date


ACCEPTED: Final[Sequence[Accepted]] = ()


@dataclass(frozen=True)
class Answer:
    """What is known of one lock file.

    Attributes
    ----------
    asked_on
        The day of the answer; None if nobody could be asked and no answer is kept for these very packages.
    found
        One line each.
    """

    asked_on: date | None
    found: Sequence[str] = ()


def audit(
    project: str,
    *,
    today: date,
    accepted: Sequence[Accepted] = ACCEPTED,
    service_url: str | None = None,
    cache: Path = CACHE,
) -> Answer:
    """Ask OSV, or take the last answer about the same lock file.

    Cost: one request for 1,000 packages and one for each vulnerability found.
    """
    lock = (ROOT / project / "uv.lock").read_bytes()
    kept = cache / f"{hashlib.sha256(lock).hexdigest()[:16]}.json"
    report = _ask(project, service_url)
    if report is not None:
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"asked_on": today.isoformat(), "report": report}))
    if not kept.exists():
        return Answer(None)
    answer = json.loads(kept.read_text())
    lived_with = {each.id for each in accepted if today <= each.until}
    found = [
        f"{each['dependency']['name']} {each['dependency']['version']}: {each['display_id']} "
        f"{each['summary']}, fixed in {', '.join(each['fix_versions']) or 'no version'}"
        for each in answer["report"]["vulnerabilities"]
        if not lived_with & {each["id"], each["display_id"], *each["aliases"]}
    ]
    return Answer(date.fromisoformat(answer["asked_on"]), found)


def _ask(project: str, service_url: str | None) -> dict[str, Any] | None:
    command = [find_uv_bin(), "audit", "--frozen", "--project", project, "--output-format", "json"]
    command += ["--preview-features", "audit-command,json-output"]
    command += ["--service-url", service_url] if service_url else []
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=_ONCE, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode not in (0, _FOUND_SOME) or not done.stdout:
        return None
    report: dict[str, Any] = json.loads(done.stdout)
    return report
