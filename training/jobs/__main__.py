"""The containers' entry point: ``python -m training.jobs STEP [options]``.

SageMaker starts a training container with the one argument ``train`` and expects a failure's reason in a
file, an exit code of 0 for success, and any other for a failure.
"""

import traceback
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from training.folders import DEFAULT_ROOT, Folders

STEPS: Final = ("prepare", "train", "evaluate", "gate", "rank", "share", "publish")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a step; whatever ends it badly is told in its folder of output, and the code is not 0."""
    parser = ArgumentParser(prog="python -m training.jobs", add_help=False)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT)
    chosen, options = parser.parse_known_args(argv)
    try:
        return _run(chosen.step, ["--root", str(chosen.root), *options])
    except Exception as error:
        traceback.print_exc()
        Folders(chosen.root).tell_failure(f"{chosen.step}: {type(error).__name__}: {error}")
        return 1


def _run(step: str, line: Sequence[str]) -> int:
    try:
        code: int = import_module(f"training.jobs.{step}").main(line)
    except SystemExit as ended:
        raise ValueError(f"{' '.join(line)!r} is no command line for it; its log says why") from ended
    return code


if __name__ == "__main__":
    raise SystemExit(main())
