"""Tuning: blind to what is held out, pruned, resumed, repeatable, and certain before it changes anything."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import optuna
import pytest
import pytrec_eval
from rich.console import Console

from factories import NOW, event
from personalization.events import Item
from personalization.recipe import DEFAULT_OFFERED, Recipe
from training.cross_validation import FOLDS, Contest, CrossValidation
from training.dataset import Dataset, make_dataset
from training.measuring import TOP
from training.metrics import Doubles
from training.ranker import NothingToLearnError
from training.searching import search
from training.settings import Settings
from training.split import Stage, known_to
from training.tables import build_tables, recounted
from training.tuned import TuningError
from training.tuning import UNPRUNED_TRIALS, Tuner

USERS, ITEMS, LENGTH = 120, 150, 9
CATALOGUE = [Item(item_id=f"sku-{number:03}") for number in range(ITEMS)]


def walks(seed: int = 7) -> Dataset:
    """Users walk through the catalogue in steps of about one: what comes next is next to what was."""
    chance, events = np.random.default_rng(seed), []
    for user in range(USERS):
        walk = (chance.integers(ITEMS) + np.cumsum(chance.choice([1, 1, 2, 3], LENGTH))) % ITEMS
        start = NOW + timedelta(minutes=int(chance.integers(600)))
        events += [
            event(
                item_id=f"sku-{item:03}",
                user_key=f"user-{user:03}",
                event_id=f"{user}-{place}",
                occurred_at=start + place * timedelta(hours=7),
            )
            for place, item in enumerate(walk.tolist())
        ]
    return make_dataset(lambda: iter(events), CATALOGUE)


@pytest.fixture(scope="module", autouse=True)
def _impatient() -> Iterator[None]:
    """Trees that no longer help are waited for less long: these logs are tiny."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.ranker.PATIENCE", 10)
        yield


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return walks()


def tuner(dataset: Dataset, folder: Path, *, seed: int = 1) -> Tuner:
    return Tuner(dataset, folder / "tuning.db", seed=seed, threads=1)


def tuned(dataset: Dataset, folder: Path, trials: int):
    made = tuner(dataset, folder)
    assert list(made.run(trials)) == list(range(1, trials + 1))
    return made.result()


@pytest.fixture(scope="module")
def searched(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory):
    return tuned(dataset, tmp_path_factory.mktemp("searched"), 8)


def gains_of(dataset: Dataset, settings: Settings) -> list[Doubles]:
    return list(CrossValidation(dataset, seed=1, threads=1).gains(settings))


def test_the_gains_are_those_of_trec_eval() -> None:
    chance = np.random.default_rng(3)
    user = np.repeat(np.arange(6), 30)
    label, scores = chance.random(180) < 0.1, chance.permutation(180) / 180
    relevant = np.bincount(user[label], minlength=6) + np.array([0, 1, 3, 12, 1, 2])
    contest = Contest(user, label, np.maximum(relevant, 1), np.empty((180, 0), dtype=np.float32))
    wanted, run = {}, {}
    for number, all_of_them in enumerate(contest.relevant.tolist()):
        rows = np.flatnonzero(user == number)
        found = [str(row) for row in rows[label[rows]]]
        missing = [f"missing-{place}" for place in range(all_of_them - len(found))]
        wanted[str(number)] = dict.fromkeys([*found, *missing], 1)
        run[str(number)] = {str(row): float(scores[row]) for row in rows}
    measured = pytrec_eval.RelevanceEvaluator(wanted, {f"ndcg_cut.{TOP}"}).evaluate(run)
    expected = [measured[str(number)][f"ndcg_cut_{TOP}"] for number in range(6)]
    np.testing.assert_allclose(contest.gains(scores), expected, atol=1e-9)
    assert sum(value > 0 for value in expected) > 2


def test_every_labelled_user_is_in_one_fold_and_gains_nothing_without_candidates(dataset: Dataset) -> None:
    found = gains_of(dataset, Settings())
    assert len(found) == FOLDS
    assert sum(map(len, found)) == len(dataset.labels[Stage.TRAIN].users) > 80
    nothing = Recipe(offered=dict.fromkeys(DEFAULT_OFFERED, 0))
    lost = gains_of(dataset, Settings(recipe=nothing))
    assert list(map(len, lost)) == list(map(len, found))
    assert not np.concatenate(lost).any()


def test_nothing_of_the_test_stage_is_looked_at(dataset: Dataset) -> None:
    """Labels and profiles of the other stages are not even there; where the train stage's window ends is."""
    test = dataset.labels[Stage.TEST]
    blind = replace(
        dataset,
        labels={
            Stage.TRAIN: dataset.labels[Stage.TRAIN],
            Stage.TEST: replace(test, items=np.full_like(test.items, -1)),
        },
        profiles={Stage.TRAIN: dataset.profiles[Stage.TRAIN]},
        _known={},
    )
    seen, unseen = gains_of(dataset, Settings()), gains_of(blind, Settings())
    np.testing.assert_array_equal(np.concatenate(seen), np.concatenate(unseen))


def test_a_large_log_is_sampled(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = CrossValidation(dataset, seed=1, threads=1).users
    monkeypatch.setattr("training.cross_validation.SAMPLED_USERS", 30)
    some, again = (CrossValidation(dataset, seed=seed, threads=1).users for seed in (1, 2))
    assert len(some) == 30
    assert set(some) < set(everybody)
    np.testing.assert_array_equal(some, again)


@pytest.mark.parametrize("recipe", [Recipe(damping=0.2, pair_window=3), Recipe(history_decay=0.5)])
def test_recounted_tables_are_those_built_anew(dataset: Dataset, recipe: Recipe) -> None:
    acts = known_to(dataset.labels[Stage.TRAIN], dataset.log.acts)
    base = dataset.tables(Stage.TRAIN)
    anew = build_tables(acts, dataset.log.items, at=base.at, recipe=recipe)
    found = recounted(base, acts, recipe)
    assert found.recipe == anew.recipe
    assert found.similarities["content"] is base.similarities["content"]
    for name, table in anew.similarities.items():
        np.testing.assert_array_equal(found.similarities[name].data, table.data)
        np.testing.assert_array_equal(found.similarities[name].indices, table.indices)


def test_the_first_trial_is_the_defaults(dataset: Dataset, searched) -> None:
    assert searched.trials[0].ndcg == round(float(np.concatenate(gains_of(dataset, Settings())).mean()), 5)
    assert not searched.trials[0].pruned
    assert searched.trials[searched.best].ndcg >= searched.trials[0].ndcg


def test_trials_that_are_behind_are_pruned(searched) -> None:
    pruned = [number for number, trial in enumerate(searched.trials) if trial.pruned]
    assert min(pruned, default=0) >= UNPRUNED_TRIALS
    for number in pruned:
        *_, last = found = searched.trials[number].by_fold
        assert len(found) < FOLDS
        others = [trial.by_fold for trial in searched.trials[:number] if len(trial.by_fold) >= len(found)]
        assert last < np.median([other[len(found) - 1] for other in others])


def test_fresh_studies_of_equal_seeds_are_equal(dataset: Dataset, searched, tmp_path: Path) -> None:
    assert msgspec.json.encode(tuned(dataset, tmp_path, 8)) == msgspec.json.encode(searched)
    other = tuner(dataset, tmp_path, seed=2)
    assert other.elsewhere
    list(other.run(3))
    assert other.result().trials[2] != searched.trials[2]


def leave_unfinished_trials(folder: Path) -> None:
    """One at work and one waiting, as a killed run leaves them."""
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'tuning.db'}")
    study.ask()
    study.enqueue_trial({"damping": 0.5})


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(
    dataset: Dataset, searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CrossValidation.gains
    interrupted = tuner(dataset, tmp_path)
    assert list(interrupted.run(3)) == [1, 2, 3]

    def cut_short(self: CrossValidation, settings: Settings) -> Iterator[Doubles]:
        yield next(whole(self, settings))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CrossValidation, "gains", cut_short)
        with pytest.raises(TuningError, match="interrupted; trials kept: 3;"):
            search(dataset, tmp_path, 8, seed=1, threads=1, console=Console(quiet=True))
    leave_unfinished_trials(tmp_path)
    resumed = tuner(dataset, tmp_path)
    assert (resumed.done, resumed.elsewhere) == (3, False)
    assert list(resumed.run(8)) == [4, 5, 6, 7, 8]
    assert list(resumed.run(8)) == []
    assert resumed.result() == searched


def test_another_log_starts_a_new_study_in_the_same_file(dataset: Dataset, tmp_path: Path) -> None:
    assert not tuner(dataset, tmp_path).elsewhere
    list(tuner(dataset, tmp_path).run(1))
    other = tuner(walks(seed=8), tmp_path)
    assert (other.done, other.elsewhere) == (0, True)
    assert tuner(dataset, tmp_path).done == 1


def test_planted_bad_defaults_are_replaced(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default only what is popular is offered; where people walk, a source that links items is better."""
    for source in DEFAULT_OFFERED:
        monkeypatch.setitem(DEFAULT_OFFERED, source, 40 if source == "popular" else 0)
    found = tuned(walks(), tmp_path, 3)
    assert found.replaced
    assert found.gained.low > 0.1
    chosen = Settings.of(found.hyperparameters).recipe.offered
    assert max(chosen["transition"], chosen["covisitation"]) > 0
    assert found.importance


def test_defaults_that_nothing_certainly_beats_stay(dataset: Dataset, tmp_path: Path) -> None:
    found = tuned(dataset, tmp_path, 1)
    assert (found.best, found.replaced) == (0, False)
    assert Settings.of(found.hyperparameters) == Settings()


def test_a_log_too_small_to_learn_from_is_refused(tmp_path: Path) -> None:
    lonely = make_dataset(lambda: iter([event("click", "a")]))
    made = tuner(lonely, tmp_path)
    with pytest.raises(NothingToLearnError):
        list(made.run(3))
    assert made.done == 0


def test_a_file_that_is_no_study_is_left_alone(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "tuning.db").write_bytes(b"a letter to a friend" * 100)
    with pytest.raises(TuningError, match="move it away"):
        tuner(dataset, tmp_path)
    assert (tmp_path / "tuning.db").read_bytes() == b"a letter to a friend" * 100


def test_without_optuna_it_says_what_to_install(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "training.tuning")
    with pytest.raises(TuningError, match=r"attune\[tuning\]"):
        search(dataset, tmp_path, 1, seed=1, threads=1, console=Console(quiet=True))
