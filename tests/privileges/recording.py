"""Notes each AWS call that a handler makes while the tests run it in this process.

Calls of the tests themselves are not noted: a call is a function's while its handler is on some thread's
stack, which also holds for the threads that it starts. Cost: one walk over the stacks a call.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

import botocore.handlers
import msgspec

from privileges.actions import SAID, Need, need_of_an_absent_object, needs

ROOT: Final = Path(__file__).parents[2]
FOLDER_VARIABLE: Final = "ATTUNE_CALLS_FOLDER"
_PUBLISH: Final = "training.jobs.publish"


@dataclass(frozen=True)
class Call:
    """A permission that a function used.

    Attributes
    ----------
    step
        Of `run_training_step`.
    by_job
        Whether the job of the step did it, rather than the function around it.
    resource
        The name of the function's setting, or of the custom resource's property, that names it.
    """

    function: str
    step: str
    by_job: bool
    action: str
    resource: str
    keys: tuple[str, ...]


class Running(NamedTuple):
    """The function whose handler is running, its event, and whether a job runs within."""

    function: str
    event: Mapping[str, Any]
    by_job: bool


_calls: set[Call] = set()


def install() -> None:
    """Have every client that is made from now on note its calls. Twice is once."""
    for hook in (("provide-client-params", _note), ("after-call.s3.GetObject", _note_an_absence)):
        if hook not in botocore.handlers.BUILTIN_HANDLERS:
            botocore.handlers.BUILTIN_HANDLERS.append(hook)


def folder() -> Path:
    """Return where the calls of a test run are kept."""
    return Path(os.environ.get(FOLDER_VARIABLE) or ROOT / ".local" / "privileges")


def forget() -> None:
    """Remove what an earlier run left."""
    for file in folder().glob("*.json"):
        file.unlink()


def keep(worker: str) -> None:
    """Leave the calls of this process for who compares."""
    folder().mkdir(parents=True, exist_ok=True)
    (folder() / f"{worker}.json").write_bytes(msgspec.json.encode(_calls))


def kept() -> set[Call]:
    """Return the calls of all processes of the last run."""
    return {
        call
        for file in folder().glob("*.json")
        for call in msgspec.json.decode(file.read_bytes(), type=set[Call])
    }


@contextmanager
def recording() -> Iterator[set[Call]]:
    """Give the calls made within a block; what was noted before comes back with its end."""
    before = set(_calls)
    _calls.clear()
    try:
        yield _calls
    finally:
        _calls.update(before)


def _note(params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    running = _running()
    if running is not None:
        context["attune"] = params
        for need in needs(model.service_model.service_name, model.name, params):
            _add(need, running)


def _note_an_absence(parsed: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> None:
    running = _running()
    if running is not None and parsed.get("Error", {}).get("Code") == "NoSuchKey":
        _add(need_of_an_absent_object(context["attune"]), running)


def _add(need: Need, running: Running) -> None:
    told = _named(running.function, running.event)
    if not told:
        # A test that wires a handler by itself, without settings, does not tell what resources are what.
        return
    resource = (told | SAID).get(need.target, f"unknown: {need.target}")
    step = str(running.event.get("step", ""))
    keys = tuple(sorted(need.keys))
    _calls.add(Call(running.function, step, running.by_job, need.action, resource, keys))


def _running() -> Running | None:
    found: tuple[str, Mapping[str, Any]] | None = None
    by_job = False
    for frame in _frames():
        module = str(frame.f_globals.get("__name__", ""))
        by_job = by_job or module == _PUBLISH
        part = module.split(".")
        if part[0] == "functions" and part[-1] == "handler" and frame.f_code.co_name == "handler":
            found = part[1], frame.f_locals["event"]
    return None if found is None else Running(*found, by_job)


def _frames() -> Iterator[FrameType]:
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            yield frame
            frame = frame.f_back


def _named(function: str, event: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of resources by their values, as the function was told them."""
    settings = sys.modules.get(f"functions.{function}.settings")
    fields = getattr(getattr(settings, "Settings", None), "__annotations__", {})
    names = {os.environ[field.upper()]: field.upper() for field in fields if field.upper() in os.environ}
    return names | {str(value): name for name, value in event.get("ResourceProperties", {}).items()}
