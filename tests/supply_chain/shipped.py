"""What a deployment ships, by part: each layer, the image of the jobs, the wheel; and all besides."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from uv import find_uv_bin

ROOT: Final = Path(__file__).parents[2]
LOCAL_AWS: Final = "infrastructure/local/aws"

PARTS: Final[Mapping[str, Sequence[str]]] = {
    "layer-base": ("--only-group", "layer-base"),
    "layer-ranking": ("--only-group", "layer-ranking"),
    "layer-openmp": (
        "--only-group",
        "layer-openmp",
        "--prune",
        "numpy",
        "--prune",
        "scipy",
        "--prune",
        "joblib",
    ),
    "wheel": ("--no-dev",),
    "job-image": ("--no-dev", "--extra", "training"),
}
"""Part -> how uv names it."""
WHOLE: Final = ("--all-packages", "--all-extras", "--all-groups")
"""With all that builds and tests it."""


def export(options: Sequence[str], *, form: str, project: str = ".") -> str:
    """Return an export of a project's lock file. It asks no network."""
    command = [find_uv_bin(), "export", "--quiet", "--frozen", "--offline", "--project", project]
    command += ["--format", form, *options]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def packages(part: str) -> dict[str, str]:
    """Return a part's third-party packages with their versions, those of other systems left out."""
    lines = export(
        [*PARTS[part], "--no-hashes", "--no-annotate", "--no-emit-workspace"], form="requirements.txt"
    )
    here = [line for line in lines.splitlines() if "==" in line and not line.startswith(("#", "-"))]
    pairs = [line.split(";")[0].strip().split("==", 1) for line in here if "win32" not in line]
    return dict(pairs)
