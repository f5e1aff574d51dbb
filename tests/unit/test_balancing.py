"""Salts that balance strata: found among many, the same hash as everywhere, and really more even."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from container import END, write_shop_lake
from personalization.assignment import bucket
from personalization.experiments import Experiment, Variant, Visitor, assign
from personalization.profiles import Facts
from training.balancing import Balance, Split, balanced_salt, main, strata_of
from training.hashing import buckets, letters_of
from training.jobs.prepare import main as prepare

USERS = [f"user-{number}" for number in range(5_000)]
HALVES = Split((0.5, 0.5))
ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(ascii_text, st.lists(ascii_text, max_size=20))
def test_many_users_are_hashed_as_each_of_them(salt: str, units: list[str]) -> None:
    assert buckets(salt, letters_of(units)).tolist() == [bucket(salt, unit) for unit in units]


def strata(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).choice(6, size=len(USERS), p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01])


def test_the_salt_that_is_chosen_deals_strata_out_more_evenly_than_chance() -> None:
    best, named = balanced_salt("home-ranking", USERS, strata(), HALVES, tries=100)
    assert best.salt.startswith("home-ranking-")
    assert best.statistic < stats.chi2.ppf(0.05, df=6) < named.statistic
    assert best.worst < named.worst
    assert (best, named) == balanced_salt("home-ranking", USERS, strata(), HALVES, tries=100)


def test_the_statistic_is_pearsons_of_what_assignment_does() -> None:
    split, stratum = Split((0.2, 0.8), coverage=0.5), strata()
    _, named = balanced_salt("test", USERS, stratum, split, tries=1)
    variants = (Variant(name="a", weight=0.2), Variant(name="b", weight=0.8))
    experiment = Experiment(name="test", surface="home", variants=variants, coverage=0.5)
    counts = np.zeros((6, 2))
    for user, own in zip(USERS, stratum.tolist(), strict=True):
        if variant := assign(experiment, Visitor(user)):
            counts[own, variants.index(variant)] += 1
    expected = counts.sum(axis=1, keepdims=True) * [0.2, 0.8]
    statistic = sum(
        stats.chisquare(row, wanted).statistic for row, wanted in zip(counts, expected, strict=True)
    )
    assert named.statistic == pytest.approx(statistic)
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert named.worst == pytest.approx(np.abs(shares - [0.2, 0.8]).max())


def test_without_users_in_a_stratum_nothing_is_out_of_balance() -> None:
    nobody = Balance.of("s", np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), HALVES)
    assert (nobody.statistic, nobody.worst) == (0.0, 0.0)


def test_small_strata_are_taken_together() -> None:
    facts = [Facts("DE", "tv")] * 60 + [Facts("DE")] * 50 + [Facts("FR", "tv")] * 49
    stratum, names = strata_of(facts, ["country", "device"])
    assert names == ["DE tv", "DE unknown", "others"]
    assert np.bincount(stratum).tolist() == [60, 50, 49]


def test_the_command_tells_a_salt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shop_lake(tmp_path / "processing" / "input" / "events", users=120, items=60)
    assert prepare(["--root", str(tmp_path), "--now", END.isoformat(), "--shard-count", "2"]) == 0
    users = tmp_path / "processing" / "output" / "users"
    assert main(["--users", str(users), "--name", "home-ranking", "--tries", "20"]) == 0
    assert "salt: home-ranking-" in capsys.readouterr().out
    assert main(["--users", str(tmp_path / "nowhere"), "--name", "x"]) == 1
