"""The long proofs: what the README tells people to type, typed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.local.processes import free_port

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
MOVIELENS = SHARED / "data" / "movielens-latest-small"
BEAUTY = SHARED / "data" / "amazon-beauty"
FLOORS = {"0": (0.074, 0.12), "1": (0.066, 0.108)}
"""NDCG@10 and HR@10 on Amazon Beauty that no change may fall below, by how many last events are held."""


def typed(*command: str, **variables: str) -> str:
    """Run a command in the repository and return what it printed; it must end well."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    return done.stdout


def test_the_demo_ends_with_books_that_balance() -> None:
    printed = typed("make", "demo", PORT=str(free_port()))
    assert "balanced" in printed
    assert "NOT BALANCED" not in printed
    assert "CTR by variant" in printed


@pytest.mark.skipif(not MOVIELENS.exists(), reason="the MovieLens log is not beside the project")
def test_the_demo_runs_on_a_real_log() -> None:
    assert "balanced" in typed("make", "demo", PORT=str(free_port()), DATA=str(MOVIELENS))


def test_the_operators_show_goes_as_announced() -> None:
    printed = typed("make", "demo-operations", PORT=str(free_port()))
    assert "all as announced" in printed
    assert "a model of one tree: refused" in printed
    assert "Visitors stop clicking: on-call is paged" in printed
    assert printed.count("stopped by its data") == 1
    assert re.search(r"tomorrow +│ none", printed)
    assert "on-call is paged" in printed
    assert re.search(r"Somebody asks to be forgotten: forgotten in \d{1,3} seconds", printed)
    assert re.search(r"mentioned before: .*events.*; after: (nowhere|\d+ runs)\n", printed)
    assert re.search(r"shown in the console, http://\S+#alarms", printed)


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_every_environment_is_synthesized_by_the_command_line(environment: str) -> None:
    typed("make", "synth", ENV=environment)
    assert list((ROOT / "cdk.out").glob("*.template.json"))


@pytest.mark.skipif(not BEAUTY.exists(), reason="the Amazon Beauty log is not beside the project")
@pytest.mark.parametrize("held", FLOORS)
def test_the_offline_pipeline_ranks_well_on_a_published_log(tmp_path: Path, held: str) -> None:
    files = ["--events", str(BEAUTY / "events.jsonl.gz"), "--items", str(BEAUTY / "items.jsonl.gz")]
    options = ["--output", str(tmp_path), "--hold-last-events", held]
    typed(sys.executable, "-m", "training.pipeline", *files, *options)
    score = [sys.executable, str(SHARED / "eval" / "score.py"), str(BEAUTY / "truth.json")]
    scores = json.loads(typed(*score, str(tmp_path / "recommendations.jsonl")))
    assert scores["lists"] == scores["users"] == 22_363
    assert scores["shortest_list"] == 20
    ndcg, hit_rate = FLOORS[held]
    assert scores["NDCG@10"] >= ndcg
    assert scores["HR@10"] >= hit_rate


@pytest.mark.skipif(not MOVIELENS.exists(), reason="the MovieLens log is not beside the project")
def test_nights_of_the_past_would_have_been_better_than_their_baselines() -> None:
    files = ["--events", str(MOVIELENS / "events.jsonl.gz"), "--items", str(MOVIELENS / "items.jsonl.gz")]
    printed = typed(sys.executable, "-m", "training.backtest", *files)
    means = [float(figure) for figure in re.findall(r"│ (0\.\d{4}) +│", printed)]
    assert "answers of" in printed
    assert len(means) == 4
    assert means[0] == max(means)
