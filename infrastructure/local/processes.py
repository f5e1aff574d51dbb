"""Background processes that outlive the command that started them, and end with everything they started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_SAME_START_SECONDS: Final = 2.0


@dataclass(frozen=True)
class ProcessRecord:
    """A process that was started, told apart from a later one that got the same number."""

    pid: int
    started_at: float
    """Seconds since the epoch."""


def start(
    command: Sequence[str | Path], *, environment: Mapping[str, str], directory: Path, log: Path
) -> ProcessRecord:
    """Start `command` in a session of its own, with all its output appended to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record = ProcessRecord(pid=process.pid, started_at=psutil.Process(process.pid).create_time())
    # It is meant to outlive this object, which would otherwise warn about a child left running.
    process.returncode = 0
    return record


def is_running(record: ProcessRecord) -> bool:
    """Tell whether the recorded process itself still runs."""
    process = _find(record)
    return process is not None and _works(process)


def stop(record: ProcessRecord, *, grace_seconds: float = 5.0) -> None:
    """End the process and whatever it started: politely, and after `grace_seconds` by force."""
    process = _find(record)
    if process is None and psutil.pid_exists(record.pid):
        # The system gives a number to a new process only once the group of that number is gone, too.
        return
    family = _group(record.pid)
    if process is not None:
        family += process.children(recursive=True)
        process.terminate()
        _wait([process], grace_seconds)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    _wait(family, grace_seconds)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)


@contextlib.contextmanager
def cleaning_up_when_ended() -> Iterator[None]:
    """Let a request to end this process unwind the `with` blocks inside, as Ctrl-C does.

    By default it ends on the spot, and would leave behind what it started.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _exit) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on `port` of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port nobody listens on at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listener(port: int) -> str | None:
    """Name the process that listens on `port`, like `nginx (process 812)`, if the system lets us see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or connection.pid is None or not connection.laddr:
            continue
        if connection.laddr.port == port:
            with contextlib.suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None


def _exit(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _find(record: ProcessRecord) -> psutil.Process | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.started_at) < _SAME_START_SECONDS:
            return process
    return None


def _works(process: psutil.Process) -> bool:
    # One that ended stays in the system's list until its parent, or the first process, asks for it.
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _wait(members: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(_works, members)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _group(leader: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == leader:
                members.append(process)
    return members
