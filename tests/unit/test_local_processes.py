import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infrastructure.local import processes, stack
from infrastructure.local.errors import NotRunningError, PortTakenError
from infrastructure.local.layout import Layout
from infrastructure.local.lifecycle import find
from infrastructure.local.processes import ProcessRecord

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def start(directory: Path, program: str = PARENT) -> ProcessRecord:
    return processes.start(
        [sys.executable, "-c", program],
        environment={"PATH": os.environ["PATH"]},
        directory=directory,
        log=directory / "log",
    )


def child_of(directory: Path) -> psutil.Process:
    deadline = time.monotonic() + 20
    while not (text := (directory / "log").read_text()).strip():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return psutil.Process(int(text))


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_stopping_a_process_ends_what_it_started(tmp_path: Path) -> None:
    record = start(tmp_path)
    child = child_of(tmp_path)
    assert processes.is_running(record)
    processes.stop(record)
    assert not processes.is_running(record)
    assert has_ended(child)


def test_what_a_process_left_behind_when_it_died_is_ended_too(tmp_path: Path) -> None:
    record = start(tmp_path)
    child = child_of(tmp_path)
    parent = psutil.Process(record.pid)
    parent.kill()
    psutil.wait_procs([parent], timeout=5)
    assert child.is_running()
    processes.stop(record)
    assert has_ended(child)


def test_a_process_that_ignores_the_polite_request_is_ended_by_force(tmp_path: Path) -> None:
    record = start(tmp_path, STUBBORN)
    while not (tmp_path / "log").read_text():
        time.sleep(0.02)
    processes.stop(record, grace_seconds=0.2)
    assert not processes.is_running(record)


def test_another_process_that_got_the_same_number_is_left_alone() -> None:
    mine = psutil.Process()
    record = ProcessRecord(mine.pid, mine.create_time())
    assert processes.is_running(record)
    earlier = replace(record, started_at=record.started_at - 3600)
    assert not processes.is_running(earlier)
    processes.stop(earlier)


def test_an_occupied_port_is_refused_with_its_owner_and_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"process {os.getpid()}.*make up PORT={port + 1}"):
            stack.start(Layout(port))


def test_a_port_where_nothing_of_ours_runs_is_reported_with_the_way_to_start_it() -> None:
    port = processes.free_port()
    with pytest.raises(NotRunningError, match=f"make up PORT={port}"):
        find(port)
