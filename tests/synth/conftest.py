"""One synthesis an environment and process, without bundling; the tests read its templates."""

import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

# The environment's own Node, for whoever calls pytest without it on the PATH; read when aws_cdk is imported.
os.environ["PATH"] = f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"

from aws_cdk import App

from infrastructure.app import define
from infrastructure.environments import ENVIRONMENTS, environment_named
from tests.synth.assembly import Assembly

ROOT = Path(__file__).parents[2]


def app_without_bundling(outdir: Path) -> App:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(outdir=str(outdir), context={**context, "aws:cdk:bundling-stacks": []})


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assembly]:
    @cache
    def synthesized(name: str) -> Assembly:
        app = app_without_bundling(tmp_path_factory.mktemp(name))
        define(app, environment_named(name))
        return Assembly(Path(app.synth().directory))

    return synthesized


@pytest.fixture(params=sorted(ENVIRONMENTS))
def assembly(request: pytest.FixtureRequest, synthesize: Callable[[str], Assembly]) -> Assembly:
    """Every environment in turn."""
    return synthesize(request.param)


@pytest.fixture
def local(synthesize: Callable[[str], Assembly]) -> Assembly:
    return synthesize("local")


@pytest.fixture
def dev(synthesize: Callable[[str], Assembly]) -> Assembly:
    return synthesize("dev")


@pytest.fixture
def prod(synthesize: Callable[[str], Assembly]) -> Assembly:
    return synthesize("prod")
