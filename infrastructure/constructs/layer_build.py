"""Builds the third-party layers from locked requirements with uv: any platform's wheels, no Docker.

A built layer is cached under `.local/layers`, keyed by all that its content depends on, so that only
a change of the requirements, the architecture or this file costs time again.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from infrastructure.errors import LayerBuildError
from infrastructure.fields import Architecture, Environment

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".local" / "layers"
PYTHON_VERSION: Final = "3.13"

# Lambda's Python 3.13 image is Amazon Linux 2023, whose glibc is 2.34.
_LAMBDA_PLATFORMS: Final = {
    Architecture.ARM64: "aarch64-manylinux_2_34",
    Architecture.X86_64: "x86_64-manylinux_2_34",
}
_NOT_NEEDED: Final = frozenset({"tests", "__pycache__"})


@dataclass(frozen=True, kw_only=True)
class LayerSource:
    """What one third-party layer is built from."""

    name: str
    openmp: bool = False
    """Adds `lib/libgomp.so.1`, which LightGBM needs and the Lambda image lacks."""

    @property
    def folder(self) -> Path:
        """Folder of the requirements, which is also the asset's source."""
        return ROOT / "layers" / "dependencies" / self.name

    def digest(self, platform: str | None) -> str:
        """Return a hash of everything that the layer's content depends on."""
        inputs = hashlib.sha256(Path(__file__).read_bytes())
        for file in sorted(self.folder.glob("*.txt")):
            inputs.update(file.name.encode() + file.read_bytes())
        inputs.update((platform or sys.platform).encode())
        return inputs.hexdigest()


BASE: Final = LayerSource(name="base")
CRYPTOGRAPHY: Final = LayerSource(name="cryptography")
RANKING: Final = LayerSource(name="ranking", openmp=True)


def layer_platform(environment: Environment) -> str | None:
    """Return the platform, as uv names it, whose wheels fit the environment; `None`: this machine's."""
    if environment.runs_on_this_machine and sys.platform != "linux":
        return None
    return _LAMBDA_PLATFORMS[environment.architecture]


def built_layer(source: LayerSource, platform: str | None) -> Path:
    """Return the folder of the layer built for `platform`, building it on the first call.

    Raises
    ------
    LayerBuildError
        When uv can't install a wheel; the message is uv's.
    """
    target = CACHE / f"{source.name}-{source.digest(platform)[:16]}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".building-") as scratch:
            _build(source, Path(scratch), platform)
            _publish(Path(scratch) / "layer", target)
    return target


def size_in_bytes(folder: Path) -> int:
    """Return the unzipped size of `folder`, as Lambda counts it: the sum of its files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _build(source: LayerSource, scratch: Path, platform: str | None) -> None:
    layer = scratch / "layer"
    _install(source.folder / "requirements.txt", layer / "python", platform)
    shutil.rmtree(layer / "python" / "bin", ignore_errors=True)
    for folder in list(_folders_not_needed(layer)):
        shutil.rmtree(folder)
    _compile(layer / "python")
    if source.openmp and platform is not None:
        _install(source.folder / "openmp.txt", scratch / "openmp", platform)
        (library,) = (scratch / "openmp" / "scikit_learn.libs").glob("libgomp-*.so.*")
        (layer / "lib").mkdir()
        shutil.copy2(library, layer / "lib" / "libgomp.so.1")


def _publish(layer: Path, target: Path) -> None:
    try:
        layer.rename(target)
    except OSError:
        # Another process built the same layer meanwhile.
        if not target.exists():
            raise


def _install(requirements: Path, target: Path, platform: str | None) -> None:
    command = ["pip", "install", "--quiet", "--no-deps", "--target", str(target), "--only-binary", ":all:"]
    command += ["--require-hashes", "--python-version", PYTHON_VERSION, "-r", str(requirements)]
    if platform is not None:
        command += ["--python-platform", platform]
    _run([find_uv_bin(), *command])


def _compile(packages: Path) -> None:
    # Unchecked pycs are valid whatever times the zip gives the sources. Without any, each cold start
    # compiles for seconds, as the layer's disk is read-only. Paths in tracebacks are Lambda's.
    command = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    _run([sys.executable, *command, "-s", str(packages), "-p", "/opt/python", str(packages)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise LayerBuildError(done.stdout + done.stderr)


def _folders_not_needed(layer: Path) -> Iterator[Path]:
    for folder, children, _ in layer.walk():
        for name in _NOT_NEEDED.intersection(children):
            children.remove(name)
            yield folder / name
