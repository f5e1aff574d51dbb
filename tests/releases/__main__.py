"""`PYTHONPATH=tests python -m releases VERSION`: record what the next release must leave in place."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from infrastructure.app import define
from infrastructure.environments import ENVIRONMENTS
from releases.record import FOLDER, record
from synth.assembly import Assembly
from tests.synth.conftest import app_without_bundling


def main(version: str) -> int:
    recorded = {}
    for name, environment in ENVIRONMENTS.items():
        with TemporaryDirectory() as directory:
            app = app_without_bundling(Path(directory))
            define(app, environment)
            recorded[name] = record(Assembly(Path(app.synth().directory)))
    (FOLDER / f"{version}.json").write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
