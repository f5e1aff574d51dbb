"""Synthesizes an environment to look at its templates: no account, no bundling, about eight seconds."""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from infrastructure.cost.inventory import Inventory, read_inventory
from infrastructure.environments import environment_named

ROOT = Path(__file__).parents[2]


def synthesized(environment: str) -> Inventory:
    """Return what the stacks of an environment consist of."""
    # aws_cdk starts the Node that it finds when it is imported: that of this environment.
    os.environ["PATH"] = f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("JSII_DEPRECATED", "quiet")
    from aws_cdk import App  # noqa: PLC0415

    from infrastructure.app import define  # noqa: PLC0415

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    with TemporaryDirectory() as folder:
        app = App(outdir=folder, context={**context, "aws:cdk:bundling-stacks": []})
        define(app, environment_named(environment))
        return read_inventory(Path(app.synth().directory))
