"""`PYTHONPATH=tests python -m supply_chain check|sbom`: licences and vulnerabilities, or bills."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from supply_chain import npm
from supply_chain.licences import objections
from supply_chain.sbom import FOLDER, write
from supply_chain.shipped import PARTS, ROOT, packages
from supply_chain.vulnerabilities import PROJECTS, audit


def main(argv: list[str] | None = None) -> int:
    """Return 1 for a licence that is not allowed or a vulnerability that is not accepted."""
    parser = argparse.ArgumentParser(prog="python -m supply_chain", description=__doc__)
    parser.add_argument("command", choices=["check", "sbom"])
    console = Console(highlight=False, soft_wrap=True)
    if parser.parse_args(argv).command == "sbom":
        for file in [*write(), _npm_bill()]:
            console.print(file.relative_to(ROOT))
        return 0
    return int(any([_refused(console), _vulnerable(console)]))


def _npm_bill() -> Path:
    file = FOLDER / "npm.cdx.json"
    file.write_text(npm.bill())
    return file


def _refused(console: Console) -> bool:
    shipped = sorted({name for part in PARTS for name in packages(part)})
    of_npm = npm.locked()
    refused = [*objections(shipped), *npm.objections(of_npm)]
    for objection in refused:
        console.print(f"licence: {objection}", style="red")
    console.print(
        f"licences: {len(shipped)} shipped packages and {len(of_npm)} of npm, {len(refused)} refused"
    )
    return bool(refused)


def _vulnerable(console: Console) -> bool:
    found: list[str] = []
    today = datetime.now(UTC).date()
    answers = {
        f"{project}/uv.lock".removeprefix("./"): (audit(project, today=today), "OSV") for project in PROJECTS
    }
    answers["package-lock.json"] = (npm.audit(today=today), "npm's advisories")
    for lock, (answer, asked) in answers.items():
        if answer.asked_on is None:
            console.print(f"vulnerabilities: {lock} not checked, {asked} can't be reached", style="yellow")
            continue
        console.print(f"vulnerabilities: {lock} asked on {answer.asked_on}, {len(answer.found)} known")
        found += answer.found
    for line in found:
        console.print(f"vulnerability: {line}", style="red")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
