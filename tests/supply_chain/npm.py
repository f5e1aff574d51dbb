"""What npm brings: the command line that deploys, and what tests hold pages to. None of it is shipped."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date
from pathlib import Path
from typing import Any, Final

from supply_chain.licences import is_allowed
from supply_chain.sbom import normalized
from supply_chain.shipped import ROOT
from supply_chain.vulnerabilities import ACCEPTED, CACHE, Accepted, Answer

REASONED: Final = {("axe-core", "MPL-2.0"): "Run by the tests alone, as it is; MPL covers its own files."}
_SECONDS: Final = 60


def locked(root: Path = ROOT) -> Mapping[str, Mapping[str, Any]]:
    """Return what the lock names, by package."""
    packages = json.loads((root / "package-lock.json").read_text())["packages"]
    return {path.rpartition("node_modules/")[2]: package for path, package in packages.items() if path}


def objections(packages: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what speaks against packages of a lock, which states their licences."""
    for name, package in packages.items():
        stated = str(package.get("license") or "no licence stated")
        if not (is_allowed(stated) or (name, stated) in REASONED):
            yield f"{name}: {stated} is neither allowed nor listed with a reason"


def bill(root: Path = ROOT) -> str:
    """Return the bill in CycloneDX, by npm, from the lock alone; same lock, same bytes."""
    document = json.loads(_npm(root, "sbom", "--sbom-format", "cyclonedx", "--offline"))
    # npm names the project by the folder that it happens to lie in.
    document["metadata"]["component"]["name"] = "attune"
    return normalized(document)


def audit(
    *,
    today: date,
    root: Path = ROOT,
    accepted: Sequence[Accepted] = ACCEPTED,
    registry: str | None = None,
    cache: Path = CACHE,
) -> Answer:
    """Ask npm's registry what is known of the locked packages, or take its last answer about the same lock.

    Cost: one request.
    """
    lock = (root / "package-lock.json").read_bytes()
    kept = cache / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}.json"
    where = ("--registry", registry) if registry else ()
    report = json.loads(_npm(root, "audit", "--json", "--fetch-retries", "0", *where) or "{}")
    if "vulnerabilities" in report:
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"asked_on": today.isoformat(), "report": report}))
    if not kept.exists():
        return Answer(None)
    answer = json.loads(kept.read_text())
    lived_with = {each.id for each in accepted if today <= each.until}
    found = [
        f"{name} {each['range']}: {each['severity']}, {', '.join(titles)}"
        for name, each in answer["report"]["vulnerabilities"].items()
        if (titles := list(_titles(each, lived_with)))
    ]
    return Answer(date.fromisoformat(answer["asked_on"]), found)


def _titles(vulnerability: Mapping[str, Any], lived_with: Set[str]) -> Iterator[str]:
    """Yield what is wrong, or with which dependency it comes; the id is the end of an advisory's address."""
    for each in vulnerability["via"]:
        if isinstance(each, str):
            yield each
        elif str(each["url"]).rpartition("/")[2] not in lived_with:
            yield f"{each['title']} ({each['url']})"


def _npm(root: Path, *command: str) -> str:
    path = f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            ["npm", *command, "--package-lock-only"],
            cwd=root,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout
