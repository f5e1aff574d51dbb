"""`PYTHONPATH=tests python -m privileges`: hold the calls of the integration tests against the roles."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

os.environ["PATH"] = f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"  # Node, for aws_cdk.

from infrastructure.app import define
from infrastructure.environments import ENVIRONMENTS
from privileges.comparison import Finding, compare
from privileges.recording import FOLDER_VARIABLE, ROOT, Call, kept
from synth.assembly import Assembly
from synth.conftest import app_without_bundling


def main(argv: list[str] | None = None) -> int:
    """Compare; 0 if nothing is missing and nothing unneeded."""
    parser = argparse.ArgumentParser(prog="python -m privileges", description=__doc__)
    parser.add_argument("--recorded", action="store_true", help="take the calls of the last `make test`")
    options = parser.parse_args(argv)
    console = Console(highlight=False)
    calls = kept() if options.recorded else _record()
    if not calls:
        console.print("no calls were recorded: run the integration tests first, or leave --recorded out")
        return 1
    with console.status("three environments"), tempfile.TemporaryDirectory() as folder:
        findings = [
            finding for name in ENVIRONMENTS for finding in _compared(name, Path(folder) / name, calls)
        ]
    _show(findings, console)
    return int(any(finding.missing or finding.unneeded for finding in findings))


def _record() -> set[Call]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = folder
        command = [sys.executable, "-m", "pytest", "tests/integration", "-n", "2", "--dist", "loadgroup"]
        subprocess.run(command, cwd=ROOT, check=True)
        return kept()


def _compared(name: str, folder: Path, calls: Iterable[Call]) -> list[Finding]:
    app = app_without_bundling(folder)
    define(app, ENVIRONMENTS[name])
    return list(compare(Assembly(Path(app.synth().directory)), calls))


def _show(findings: list[Finding], console: Console) -> None:
    table = Table("environment", "role", "used", "by AWS itself", "unneeded", "missing")
    for each in findings:
        counts = (each.used, each.by_aws, len(each.unneeded), len(each.missing))
        table.add_row(each.environment, each.role, *map(str, counts))
    console.print(table)
    for each in findings:
        for kind, found in (("unneeded", each.unneeded), ("missing", each.missing)):
            for what in found:
                console.print(f"{kind}: {each.environment} {each.role}: {what}", style="red")
    unneeded, missing = (
        sum(len(getattr(each, kind)) for each in findings) for kind in ("unneeded", "missing")
    )
    console.print(f"permissions unneeded {unneeded}, missing {missing}")


if __name__ == "__main__":
    sys.exit(main())
