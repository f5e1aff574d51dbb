"""`python -m infrastructure.local COMMAND [--port N]`, with COMMAND one of those of `main`.

Replay-quarantine, rebuild-profiles and redrive change nothing unless the variable APPLY is set.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from infrastructure.environments import LOCAL
from infrastructure.local import lifecycle, stack
from infrastructure.local.analysis import analyze
from infrastructure.local.errors import LocalAwsError
from infrastructure.local.layout import Layout
from infrastructure.local.lifecycle import DEFAULT_PORT, LocalAws

_console: Final = Console(highlight=False, soft_wrap=True)
_errors: Final = Console(highlight=False, soft_wrap=True, stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    commands: dict[str, Callable[[int], None]] = {"up": _up, "down": _down, "status": _status, "url": _url}
    commands |= {
        "console": _console_url,
        "rollback": _rollback,
        "analyze": _analyze,
        "replay-quarantine": _replay_quarantine,
        "rebuild-profiles": _rebuild_profiles,
        "redrive": _redrive,
    }
    parser = argparse.ArgumentParser(prog="python -m infrastructure.local", description=__doc__)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or DEFAULT_PORT))
    options = parser.parse_args(arguments)
    try:
        commands[options.command](options.port)
    except LocalAwsError as error:
        _errors.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        _errors.print(f"Interrupted. What was started is removed by: make down PORT={options.port}")
        return 130
    return 0


def _up(port: int) -> None:
    if stack.is_running(Layout(port)) and Layout(port).outputs.exists():
        _console.print(f"The local AWS already runs on port {port}. End it with: make down PORT={port}")
    else:
        _console.print("Starting a local AWS and deploying Attune into it …")
    _describe(lifecycle.up(port, lambda line: _console.print(f"  {line}", markup=False)))


def _down(port: int) -> None:
    if lifecycle.down(port):
        _console.print(f"The local AWS on port {port} is down, and its files are removed.")
    else:
        _console.print(f"No local AWS of ours ran on port {port}; nothing to do.")


def _status(port: int) -> None:
    _describe(lifecycle.find(port))


def _rollback(port: int) -> None:
    _operate(port, "training.rollback", {"--table": "TableName"})


def _replay_quarantine(port: int) -> None:
    outputs = {"--lake-bucket": "LakeBucketName", "--stream": "StreamName", "--table": "TableName"}
    _operate(port, "training.quarantine", outputs, *_apply())


def _rebuild_profiles(port: int) -> None:
    outputs = {
        "--lake-bucket": "LakeBucketName",
        "--table": "TableName",
        "--token-secret-arn": "TokenSecretArn",
    }
    _operate(port, "training.rebuild", outputs, *_apply())


def _redrive(port: int) -> None:
    _operate(port, "training.redrive", {}, "--stack", f"attune-{LOCAL.name}", *_apply())


def _apply() -> list[str]:
    return ["--apply"] if os.environ.get("APPLY") else []


def _operate(port: int, module: str, outputs: Mapping[str, str], *options: str) -> None:
    """Run one of the operators' commands on the local AWS, its options taken from the stack's outputs."""
    aws = lifecycle.find(port)
    command = [sys.executable, "-m", module, *options]
    for option, output in outputs.items():
        command += [option, aws.output(output)]
    if subprocess.run(command, check=False, env=os.environ | aws.environment).returncode:
        raise LocalAwsError(f"{module} did not end well")


def _analyze(port: int) -> None:
    aws = lifecycle.find(port)
    show = [sys.executable, "-m", "training.experimentation.show", "--table", aws.output("TableName")]
    for one in analyze(aws):
        if "verdict" in one:
            subprocess.run([*show, one["experiment"]], check=False, env=os.environ | aws.environment)
        else:
            _console.print(f"{one['experiment']}: {one['reason']}", markup=False)


def _url(port: int) -> None:
    _console.print(lifecycle.find(port).api_url)


def _console_url(port: int) -> None:
    _console.print(lifecycle.find(port).console_url)


def _describe(aws: LocalAws) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("API", aws.api_url)
    table.add_row("Console", aws.console_url)
    table.add_row("AWS", f"{aws.endpoint_url} (any credentials, region us-east-1)")
    table.add_row("Outputs", str(aws.layout.outputs))
    table.add_row("Logs", str(aws.layout.emulator_log))
    _console.print(table)
