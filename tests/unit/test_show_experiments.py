"""The command that shows experiments: on a terminal, in a pipe, as a page."""

import io
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from contracts.conftest import TABLE, create_table
from experiment_lake import EXPERIMENT, SECRET, ExperimentLake
from factories import NOW
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.adapters.memory import MemoryTable
from personalization.experiment_results import decode_results
from training.experimentation.design import Arm, ExperimentDesign
from training.experimentation.folder import FolderLake
from training.experimentation.run import run
from training.experimentation.show import main, print_results
from training.experimentation.study import Study

START = NOW - timedelta(days=2)
STUDY = Study(
    design=ExperimentDesign(name=EXPERIMENT, surface="home", arms=(Arm("control", 0.5), Arm("new", 0.5))),
    starts_at=START,
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake's folder with results of three days."""
    folder, table = FolderLake(tmp_path), MemoryTable()
    shop = ExperimentLake(folder)
    for user in range(60):
        shop.visit(f"user-{user}", "new" if user % 2 else "control", START, clicks=1 + user % 3)
    shop.flush()
    for day in range(3):
        run([STUDY], objects=folder, table=table, secret=SECRET, now=NOW + timedelta(days=day))
    return tmp_path


def shown(*argv: str) -> tuple[int, str]:
    out = io.StringIO()
    return main(argv, console=Console(file=out)), out.getvalue()


def test_an_experiment_is_shown_with_verdict_tables_split_plan_and_a_line_a_look(lake: Path) -> None:
    code, text = shown("--lake", str(lake), EXPERIMENT)
    assert code == 0
    assert text.startswith(f"{EXPERIMENT}: ")
    for words in ("What users saw and did", "Against the control", "Split of users", "Plan: "):
        assert words in text
    assert [line.split()[0] for line in text.splitlines()[-4:-1]] == [
        "2026-01-15",
        "2026-01-16",
        "2026-01-17",
    ]


def test_without_a_name_all_are_listed_with_their_verdict(lake: Path) -> None:
    code, text = shown("--lake", str(lake))
    assert code == 0
    assert EXPERIMENT in text
    assert "2026-01-17" in text


def test_a_page_holds_the_same(lake: Path, tmp_path: Path) -> None:
    code, _ = shown("--lake", str(lake), EXPERIMENT, "--html", str(tmp_path / "page.html"))
    assert code == 0
    assert b"<svg" in (tmp_path / "page.html").read_bytes()


def test_a_name_without_results_is_told_with_those_that_have_some(lake: Path) -> None:
    assert shown("--lake", str(lake), "other") == (
        1,
        f"other has no results; those with results: {EXPERIMENT}\n",
    )


def test_a_folder_without_results_says_there_are_none(tmp_path: Path) -> None:
    code, text = shown("--lake", str(tmp_path), "other")
    assert (code, text) == (1, "other has no results; those with results: none\n")


def test_results_that_cannot_be_read_are_told(lake: Path) -> None:
    (lake / f"experiments/results/date=2026-01-17/{EXPERIMENT}.json").write_text("{}")
    code, text = shown("--lake", str(lake), EXPERIMENT)
    assert code == 1
    assert "experiment" in text


def test_a_deployments_table_is_shown(lake: Path) -> None:
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client)
        store = DynamoExperimentStore(client, TABLE)
        run([STUDY], objects=FolderLake(lake), table=store, secret=SECRET, now=NOW)
        code, text = shown("--table", TABLE, EXPERIMENT)
    assert code == 0
    assert "Split of users" in text


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_a_table_is_as_wide_as_the_terminal_at_most_and_cuts_no_figure(lake: Path, width: int) -> None:
    (results,) = [
        decode_results(path.read_bytes()) for path in lake.glob("experiments/results/date=2026-01-17/*")
    ]
    out = io.StringIO()
    print_results(results, Console(file=out, width=width))
    rows = [line for line in out.getvalue().splitlines() if line.startswith(("│", "┃"))]
    assert {len(line) for line in rows if len(line) > max(width, 60)} == set()
    assert "…" not in out.getvalue() or width == 40
