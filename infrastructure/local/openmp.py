"""Gives LightGBM its OpenMP library on Linux machines that lack it: `openmp.py UV`, run by `make setup`.

LightGBM links to the system's `libgomp.so.1`, which is missing on many a small machine, as it is on Lambda.
The wheel of scikit-learn brings one along. A line in a `.pth` file loads it whenever the environment's Python
starts, so that neither a package manager nor an environment variable is needed.
"""

import ctypes
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_REQUIREMENTS: Final = _ROOT / "layers" / "dependencies" / "ranking" / "openmp.txt"
_NAME: Final = "libgomp.so.1"
_LIBRARY: Final = _ROOT / ".local" / "openmp" / _NAME
_HOOK: Final = Path(sysconfig.get_path("purelib")) / "attune_openmp.pth"


def main(uv: str) -> None:
    """Install the library and the hook that loads it, unless the system has one of its own."""
    is_installed = _HOOK.exists() and _LIBRARY.exists()
    if sys.platform != "linux" or is_installed or _system_has_it():
        return
    with tempfile.TemporaryDirectory() as scratch:
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        interpreter = ["--python", sys.executable, "--target", scratch]
        subprocess.run([*command, *interpreter, "-r", str(_REQUIREMENTS)], check=True)
        [source] = Path(scratch).glob("scikit_learn.libs/libgomp*")
        _LIBRARY.parent.mkdir(parents=True, exist_ok=True)
        _LIBRARY.write_bytes(with_plain_name(source.read_bytes()))
    _HOOK.write_text(f"import ctypes; ctypes.CDLL({str(_LIBRARY)!r}, mode=ctypes.RTLD_GLOBAL)\n")


def with_plain_name(library: bytes) -> bytes:
    """Return the library under the name by which LightGBM asks for it.

    The wheel renamed it, inside too, to `libgomp-<digest>.so.1.0.0`; the loader takes a library that is
    loaded already only if the name inside is the one wanted. The shorter name fits in place, ended by zeros.
    """
    renamed = rb"libgomp-[0-9a-f]+\.so[.0-9]*\0"
    return re.sub(renamed, lambda found: _NAME.encode().ljust(len(found[0]), b"\0"), library)


def _system_has_it() -> bool:
    try:
        ctypes.CDLL(_NAME)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
