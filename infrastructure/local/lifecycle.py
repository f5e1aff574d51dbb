"""Brings the whole platform up on one machine and takes it down again: the Python interface of `make up`."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session

from infrastructure.environments import LOCAL_ACCOUNT, LOCAL_REGION
from infrastructure.local import deploy, processes, stack
from infrastructure.local.deploy import Report
from infrastructure.local.errors import NotRunningError, PortTakenError
from infrastructure.local.layout import ROOT, Layout

DEFAULT_PORT = 4566


@dataclass(frozen=True)
class LocalAws:
    """A local AWS with Attune deployed into it."""

    layout: Layout
    stacks: Mapping[str, Mapping[str, str]]
    """Outputs by stack, as CloudFormation holds them."""

    @property
    def endpoint_url(self) -> str:
        """Address of every AWS service."""
        return stack.endpoint_url(self.layout.port)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead any AWS client here, and away from any real account."""
        return stack.credentials(self.layout.port)

    def output(self, name: str) -> str:
        """Return the output `name` of whichever stack has it.

        Raises
        ------
        KeyError
            No stack has it.
        """
        for outputs in self.stacks.values():
            if name in outputs:
                return outputs[name]
        raise KeyError(f"no stack has the output {name}; there are {sorted(self.outputs)}")

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of all stacks together."""
        return {name: value for outputs in self.stacks.values() for name, value in outputs.items()}

    @property
    def api_url(self) -> str:
        """Address of the HTTP API, without a slash at its end.

        The host name that CloudFormation states, `<id>.execute-api.localhost`, is one that curl and browsers
        resolve and Python does not, hence the form with a path.
        """
        return f"{self.endpoint_url}/_aws/execute-api/{self.output('ApiId')}"

    @property
    def console_url(self) -> str:
        """Address of the operators' console, for a browser."""
        return f"{self.api_url}/v1/console"

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of this local AWS, whatever credentials and profiles the machine has."""
        return _session().client(service, endpoint_url=self.endpoint_url, **options)  # type: ignore[call-overload]


def up(port: int, report: Report) -> LocalAws:
    """Start the local AWS on `port`, deploy the platform and start the runner; `report` hears of each step.

    Where our own local AWS runs on the port already, only what is missing is done.

    Raises
    ------
    LocalAwsError
        Something failed. What was started stays up, with its logs, until `down`.
    """
    layout = Layout(port)
    with deploy.exclusive():
        if not stack.is_running(layout):
            with _timed(report, f"Local AWS started on port {port}"):
                stack.start(layout)
        if not layout.outputs.exists():
            with _timed(report, "Account bootstrapped, templates and layers made"):
                deploy.bootstrap_and_synthesize(layout)
            with _timed(report, "Platform deployed"):
                deploy.deploy(layout, report)
            _start_runner(layout)
    return find(port)


def down(port: int) -> bool:
    """End all that `up` started for `port` and remove its files; tell whether anything was running."""
    layout = Layout(port)
    was_running = stack.is_running(layout)
    stack.stop(layout)
    return was_running


def find(port: int) -> LocalAws:
    """Return the local AWS that runs on `port`.

    Raises
    ------
    NotRunningError
        There is none, or nothing is deployed into it.
    """
    layout = Layout(port)
    if not stack.is_running(layout):
        raise NotRunningError(
            f"No local AWS of ours runs on port {port}. Start one with: make up PORT={port}"
        )
    if not layout.outputs.exists():
        raise NotRunningError(
            f"The local AWS on port {port} runs, but the deployment did not finish ({layout.deploy_log}). "
            f"Try again with: make up PORT={port}"
        )
    return LocalAws(layout, json.loads(layout.outputs.read_text()))


@contextmanager
def running(
    port: int | None = None, *, keep: bool = False, report: Report = lambda _: None
) -> Iterator[LocalAws]:
    """Hold a local AWS up for the time of a `with` block, and take it down whatever happens within.

    Parameters
    ----------
    port
        `None`: one that nobody listens on.
    keep
        Leave it up at a regular end; a failure still takes it down.

    Raises
    ------
    PortTakenError
        The port is in use, be it by a local AWS of ours.
    """
    chosen = port or processes.free_port()
    if stack.is_running(Layout(chosen)):
        raise PortTakenError(f"The local AWS runs on port {chosen} already. End it: make down PORT={chosen}")
    with processes.cleaning_up_when_ended():
        try:
            yield up(chosen, report)
        except BaseException:
            down(chosen)
            raise
        if not keep:
            down(chosen)


@contextmanager
def emulator(*, verify_signatures: bool = False) -> Iterator[LocalAws]:
    """Hold a local AWS up with nothing deployed into it and no runner; it starts within two seconds."""
    layout = Layout(processes.free_port())
    with processes.cleaning_up_when_ended():
        try:
            stack.start(layout, verify_signatures=verify_signatures)
            yield LocalAws(layout, {})
        finally:
            stack.stop(layout)


@cache
def _session() -> boto3.Session:
    # Neither a profile that the environment names nor the user's configuration file is looked up.
    nowhere: Any = {"profile": (None, None, None, None), "config_file": (None, None, "/dev/null", None)}
    return boto3.Session(
        aws_access_key_id=LOCAL_ACCOUNT,
        aws_secret_access_key=stack.ANY_SECRET_KEY,
        region_name=LOCAL_REGION,
        botocore_session=botocore.session.Session(session_vars=nowhere),
    )


def _start_runner(layout: Layout) -> None:
    record = processes.start(
        [sys.executable, "-m", "infrastructure.local.runner", str(layout.port)],
        environment={**stack.credentials(layout.port), "LANG": "C.UTF-8"},
        directory=ROOT,
        log=layout.runner_log,
    )
    stack.remember(layout, "runner", record)


@contextmanager
def _timed(report: Report, step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    report(f"{step} ({time.monotonic() - started:.0f} s)")
