"""Deploys the CDK app into the local AWS with the unmodified CDK command line."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infrastructure.environments import LOCAL_ACCOUNT, LOCAL_REGION
from infrastructure.local import stack
from infrastructure.local.errors import DeployError
from infrastructure.local.layout import ASSEMBLY, DEPLOY_LOCK, ROOT, Layout

_CDK: Final = [stack.NODE_DIRECTORY / "node", ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"]
_QUIET: Final = ["--no-notices", "--no-color"]
_LAST_LINES: Final = 30

Report = Callable[[str], None]
"""Takes one line about the progress."""


def bootstrap_and_synthesize(layout: Layout) -> None:
    """Prepare the account for deployments and make the cloud assembly, side by side.

    Raises
    ------
    DeployError
        One of the two failed; the message holds the end of its output.
    """
    with ThreadPoolExecutor() as pool:
        steps = [pool.submit(bootstrap, layout), pool.submit(_synthesize, layout)]
    for step in steps:
        step.result()


def deploy(
    layout: Layout, report: Report, *, assembly: Path = ASSEMBLY, stacks: Sequence[str] = ("--all",)
) -> None:
    """Deploy stacks of a cloud assembly, and those they need; `report` hears of each that is done.

    The file of outputs appears only once all of them are.

    Raises
    ------
    DeployError
        A stack failed; the message holds the end of the output.
    """

    def report_finished_stacks(line: str) -> None:
        if "✅" in line:
            report(line.replace("✅", "").strip())

    outputs = layout.outputs.with_suffix(".partial")
    _run(
        [
            "deploy", *stacks, "--app", assembly, "--require-approval", "never", "--progress", "events",
            "--method", "direct", "--concurrency", "4", "--outputs-file", outputs,
        ],
        layout,
        report_finished_stacks,
    )  # fmt: skip
    outputs.rename(layout.outputs)


@contextmanager
def exclusive() -> Iterator[None]:
    """Wait until no other deployment on this machine uses the cloud assembly, and keep it until the end."""
    DEPLOY_LOCK.parent.mkdir(exist_ok=True)
    with DEPLOY_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def bootstrap(layout: Layout) -> None:
    """Prepare the account for deployments."""
    # Away from cdk.json: where the command finds an app, it synthesizes it first, for nothing.
    _run(["bootstrap", f"aws://{LOCAL_ACCOUNT}/{LOCAL_REGION}"], layout, directory=layout.directory)


def _synthesize(layout: Layout) -> None:
    _run(["synth", "--context", "environment=local", "--output", ASSEMBLY, "--quiet"], layout)


def _run(
    arguments: Sequence[str | Path],
    layout: Layout,
    hear: Report = lambda _: None,
    *,
    directory: Path = ROOT,
) -> None:
    command = [str(part) for part in [*_CDK, *arguments, *_QUIET]]
    with (
        layout.deploy_log.open("a") as log,
        subprocess.Popen(
            command,
            env=_environment(layout),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        ) as process,
    ):
        lines = []
        try:
            for line in process.stdout or []:
                log.write(line)
                lines.append(line)
                hear(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        tail = "".join(lines[-_LAST_LINES:])
        raise DeployError(f"`cdk {arguments[0]}` failed. All of its output: {layout.deploy_log}\n\n{tail}")


def _environment(layout: Layout) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    path = [str(stack.NODE_DIRECTORY), str(ROOT / ".venv" / "bin"), inherited.get("PATH", "")]
    return {
        **inherited,
        **stack.credentials(layout.port),
        "PATH": os.pathsep.join(path),
        "CDK_DEFAULT_ACCOUNT": LOCAL_ACCOUNT,
        "CDK_DEFAULT_REGION": LOCAL_REGION,
        "CDK_HOME": str(layout.directory / "cdk"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
