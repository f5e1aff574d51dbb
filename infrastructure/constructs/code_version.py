"""Which code a deployment holds: the package's version and a digest of the sources, as of synthesis."""

import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from infrastructure.constructs.layer_build import ROOT

_SOURCES: Final = ("layers/personalization/python", "training", "functions/run_training_step")
_DIGITS: Final = 12


def code_version() -> str:
    """Return such as ``0.1.0+3f2a90c1d4e5``; equal sources have equal versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    digest = sha256()
    for path in _files():
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return f"{project['version']}+{digest.hexdigest()[:_DIGITS]}"


def _files() -> Iterator[Path]:
    for folder in _SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))
