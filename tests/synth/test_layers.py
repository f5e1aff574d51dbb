"""The layers as they are deployed: built for real, once, into the cache that deployments use too."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest

from infrastructure.constructs.layer_build import (
    BASE,
    CRYPTOGRAPHY,
    RANKING,
    ROOT,
    built_layer,
    layer_platform,
    size_in_bytes,
)
from infrastructure.fields import Environment
from tests.synth.assembly import Assembly, Lambda

SOURCES = {source.name: source for source in (BASE, CRYPTOGRAPHY, RANKING)}
LIMIT_BYTES = 240 * 2**20
"""Lambda's is 250 MB for function and layers together; the rest is for what is to come."""
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
OF_THE_RUNTIME = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "urllib3",
    "six.py",
)


def folders_of(function: Lambda, environment: Environment) -> list[Path]:
    """The unpacked layers of a function."""
    platform = layer_platform(environment)
    third_party = [built_layer(SOURCES[name], platform) for name in sorted(function.layers & SOURCES.keys())]
    return [ROOT / "layers" / "personalization", *third_party]


@pytest.mark.parametrize("environment_name", ["local", "prod"])
def test_every_function_fits_with_its_layers(environment_name: str, request: pytest.FixtureRequest) -> None:
    assembly: Assembly = request.getfixturevalue(environment_name)
    for name, function in assembly.lambdas.items():
        layers = folders_of(function, assembly.environment)
        size = size_in_bytes(assembly.asset_of(function)) + sum(map(size_in_bytes, layers))
        assert size < LIMIT_BYTES, f"{name} unpacks to {size / 2**20:.0f} MB"


def test_the_ranking_layer_brings_the_openmp_that_lightgbm_loads(assembly: Assembly) -> None:
    platform = layer_platform(assembly.environment)
    if platform is None:
        pytest.skip("wheels of this machine bring their own")
    library = (built_layer(RANKING, platform) / "lib" / "libgomp.so.1").read_bytes()
    assert library[:4] == b"\x7fELF"
    assert int.from_bytes(library[18:20], "little") == ELF_MACHINES[assembly.environment.architecture]


def test_a_layer_holds_bytecode_that_stays_valid_and_no_tests(local: Assembly) -> None:
    packages = built_layer(RANKING, layer_platform(local.environment)) / "python"
    sources = [path for path in (packages / "numpy").rglob("*.py") if path.stem.isidentifier()]
    for source in sources:
        cached = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        # Flags 0b01: a hash-based pyc that is never checked against its source (PEP 552).
        assert cached.read_bytes()[4:8] == b"\x01\x00\x00\x00"
    assert not [path for path in packages.rglob("tests") if path.is_dir()]


def test_a_function_imports_with_nothing_but_its_asset_its_layers_and_the_runtime(
    local: Assembly, tmp_path: Path
) -> None:
    installed = Path(str(distribution("boto3").locate_file("")))
    for name in OF_THE_RUNTIME:
        (tmp_path / name).symlink_to(installed / name)
    for name, function in local.lambdas.items():
        layers = folders_of(function, local.environment)
        path = [local.asset_of(function), *(layer / "python" for layer in layers), tmp_path]
        own = local.asset_of(function) / "functions" / name
        modules = [f"functions.{name}.{path.stem}" for path in sorted(own.glob("[a-z]*.py"))]
        jobs = (local.asset_of(function) / "training" / "jobs").glob("[a-z]*.py")
        modules += [f"training.jobs.{job.stem}" for job in jobs]
        done = _import_isolated(modules, path, libraries=[layer / "lib" for layer in layers])
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "requirements", sorted((ROOT / "layers" / "dependencies").glob("*/*.txt")), ids=lambda p: p.parent.name
)
def test_the_requirements_of_a_layer_are_those_of_the_lock_file(requirements: Path, tmp_path: Path) -> None:
    recorded = requirements.read_text().splitlines()
    command = shlex.split(recorded[1].removeprefix("#"))
    assert command[-1] == str(requirements.relative_to(ROOT))
    exported = tmp_path / "requirements.txt"
    subprocess.run([*command[:-1], str(exported), "--quiet"], cwd=ROOT, check=True)
    assert exported.read_text().splitlines()[2:] == recorded[2:], f"run: {shlex.join(command)}"


def _import_isolated(
    modules: Sequence[str], path: Sequence[Path], *, libraries: Sequence[Path]
) -> subprocess.CompletedProcess[str]:
    places = [str(place) for place in path]
    code = (
        f"import sys; sys.path[:0] = {places!r}; sys.dont_write_bytecode = True; import {', '.join(modules)}"
    )
    variables = {
        "AWS_REGION": "us-east-1",
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "POWERTOOLS_SERVICE_NAME": "test",
    }
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=variables,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
