"""What the upgrade test calls a replacement, the CDK's own command line calls one."""

import copy
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.app import define
from infrastructure.environments import PROD
from infrastructure.local import stack
from infrastructure.local.layout import ROOT
from releases.record import harm, record
from synth.assembly import Assembly
from tests.synth.conftest import app_without_bundling

DATA = "attune-prod-data"


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    app = app_without_bundling(tmp_path_factory.mktemp("prod"))
    define(app, PROD)
    return Assembly(Path(app.synth().directory))


def shown(prod: Assembly, before: dict[str, Any], file: Path) -> str:
    """What `cdk diff` says of an update from a template to today's."""
    file.write_text(json.dumps(before))
    command = [stack.NODE_DIRECTORY / "node", ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk", "diff", DATA]
    done = subprocess.run(
        [*command, "--app", prod.directory, "--template", file, "--no-notices", "--no-color"],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def other_key(row: dict[str, Any]) -> None:
    row["KeySchema"][0]["AttributeName"] = "another"


def other_name(row: dict[str, Any]) -> None:
    row["TableName"] = "another"


def no_recovery(row: dict[str, Any]) -> None:
    row["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] = False


@pytest.mark.parametrize(
    ("change", "replaces"), [(other_key, True), (other_name, True), (no_recovery, False)]
)
def test_a_change_of_the_table_is_judged_as_cdk_diff_does(
    prod: Assembly, tmp_path: Path, change: Callable[[dict[str, Any]], None], replaces: bool
) -> None:
    templates = copy.deepcopy(prod.templates)
    table = prod.one("AWS::DynamoDB::Table").logical_id
    change(templates[DATA]["Resources"][table]["Properties"])
    text = shown(prod, templates[DATA], tmp_path / "before.json")
    assert table in text
    assert ("replace" in text) is replaces, text
    release = copy.deepcopy(dict(record(prod)))
    kept = release["resources"][DATA][table]["Properties"]
    for name in ("KeySchema", "TableName"):
        if name in templates[DATA]["Resources"][table]["Properties"]:
            kept[name] = templates[DATA]["Resources"][table]["Properties"][name]
    assert bool(list(harm(release, prod))) is replaces
