"""Searches for better settings with Optuna: pruned, seeded, and resumed where it was left.

The first trial is the defaults. From then on trials alternate: one changes the ranker and keeps the recipe of
the best so far, whose examples are at hand; the next keeps the ranker and changes the recipe. After each fold
a trial that is behind the median of the others ends (`MedianPruner`).

What is done rests in a SQLite file. A study in it belongs to one dataset, seed and search space: others start
a new one. Each trial draws by seed and number, so that a search that was interrupted and resumed is the same
as one that was not.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DatabaseError

from personalization.features import FEATURES
from training.cross_validation import FOLDS, SAMPLED_USERS, CrossValidation
from training.dataset import Dataset
from training.ranker import NothingToLearnError, leaves
from training.search_space import RANKER, RECIPE, SPACE, Range
from training.settings import Settings
from training.split import Stage
from training.tuned import Trial, Tuned, TuningError, compared, is_certain

RANDOM_TRIALS: Final = 8
"""Trials before the sampler, a tree-structured Parzen estimator (Bergstra et al., 2011), learns from them."""
UNPRUNED_TRIALS: Final = 4
_DONE: Final = (TrialState.COMPLETE, TrialState.PRUNED)
_GAINS: Final = "gains"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Tuner:
    """One dataset's search, at the place where it was left.

    Attributes
    ----------
    elsewhere
        Whether the file holds studies, but of another dataset, seed or search space.
    """

    def __init__(self, dataset: Dataset, path: Path, *, seed: int, threads: int) -> None:
        self._scores = CrossValidation(dataset, seed=seed, threads=threads)
        self._seed = seed
        self._study, self.elsewhere = _opened(path, _fingerprint(dataset, seed))
        self._default = _default_parameters(len(self._scores.users))

    @property
    def done(self) -> int:
        """Trials so far."""
        return len(self._trials())

    @property
    def best(self) -> float:
        """NDCG@10 of the best trial so far."""
        return float(self._best().value or 0.0)

    def run(self, trials: int) -> Iterator[int]:
        """Try settings until so many trials are done; yield how many are, after each.

        Whoever interrupts it loses the trial at work only.

        Raises
        ------
        NothingToLearnError
            The log is too small for the defaults already.
        """
        while (done := self.done) < trials:
            self._try(done)
            yield done + 1

    def result(self) -> Tuned:
        """Choose the settings; one trial at least has to be done."""
        trials, best = self._trials(), self._best()
        gained = compared(best.user_attrs[_GAINS], trials[0].user_attrs[_GAINS])
        replaced = is_certain(gained)
        chosen = best if replaced else trials[0]
        return Tuned(
            users=len(self._scores.users),
            trials=tuple(map(_trial, trials)),
            best=[trial.number for trial in trials].index(best.number),
            gained=gained,
            replaced=replaced,
            best_hyperparameters=self._settings(best.params).hyperparameters(),
            hyperparameters=self._settings(chosen.params).hyperparameters(),
            importance=_importance(self._study),
        )

    def _try(self, number: int) -> None:
        study = self._study
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=(self._seed * 100_003 + number) % 2**32
        )
        study.enqueue_trial(self._kept(number))
        trial = study.ask(_DISTRIBUTIONS)
        try:
            state, gains = self._scored(trial, number)
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        if state is TrialState.PRUNED:
            study.tell(trial, state=state)
        else:
            trial.set_user_attr(_GAINS, gains.round(6).tolist())
            study.tell(trial, float(gains.mean()))

    def _kept(self, number: int) -> dict[str, Any]:
        """Return the parameters that a trial doesn't change: all, the recipe's, or the ranker's."""
        if number == 0:
            return self._default
        best, kept = self._best(), RECIPE if number % 2 else RANKER
        return {name: best.params[name] for name in kept}

    def _scored(self, trial: optuna.Trial, number: int) -> tuple[TrialState, Any]:
        """Score a trial fold by fold, as long as it is worth it."""
        gains = np.zeros(0)
        for fold, found in enumerate(self._scores.gains(self._settings(trial.params))):
            gains = np.concatenate([gains, found])
            trial.report(float(gains.mean()) if len(gains) else 0.0, fold)
            if number and fold < FOLDS - 1 and trial.should_prune():
                return TrialState.PRUNED, gains
        if not number and not gains.any():
            raise NothingToLearnError("no user has a train label that is found; tuning needs more events")
        return TrialState.COMPLETE, gains

    def _settings(self, parameters: Mapping[str, Any]) -> Settings:
        """Make settings of a trial's parameters; leaves as by default are left to the number of users."""
        short = {
            name: float(f"{value:.4g}") if isinstance(value, float) else value
            for name, value in parameters.items()
            if name != "num_leaves" or value != self._default[name]
        }
        return Settings.of({**short, "seed": self._seed})

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=_DONE)

    def _best(self) -> FrozenTrial:
        """Of equal ones the first."""
        complete = [trial for trial in self._trials() if trial.state is TrialState.COMPLETE]
        return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number))


def _opened(path: Path, name: str) -> tuple[optuna.Study, bool]:
    """Open the study of that name, or make it; tell whether the file holds others only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        names = optuna.get_all_study_names(storage)
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS),
            load_if_exists=True,
        )
    except DatabaseError as error:
        raise TuningError(f"{path} holds no study that can be read; move it away to start anew") from error
    _forget_unfinished(study)
    return study, bool(names) and name not in names


def _forget_unfinished(study: optuna.Study) -> None:
    """Fail the trials that a killed run left: those at work, and one that waited to be asked for."""
    for _ in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.ask()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _fingerprint(dataset: Dataset, seed: int) -> str:
    """Name what a trial's value depends on. Cost: linear in acts and profiles."""
    log, labels = dataset.log, dataset.labels[Stage.TRAIN]
    digest = sha256(msgspec.json.encode([log.users, log.items, FEATURES, SPACE]))
    digest.update(msgspec.json.encode([seed, FOLDS, SAMPLED_USERS, Settings(seed=seed).hyperparameters()]))
    columns = [
        getattr(acts, name) for acts in (log.acts, log.owned) for name in ("user", "item", "at", "weight")
    ]
    for column in (*columns, labels.items, labels.cut):
        digest.update(np.ascontiguousarray(column).tobytes())
    for profile in dataset.profiles[Stage.TRAIN].encoded:
        digest.update(profile)
    return digest.hexdigest()[:16]


def _default_parameters(users: int) -> dict[str, Any]:
    """Return the defaults as a trial's parameters; the leaves are those of a fold's training."""
    default = Settings()
    values: dict[str, Any] = {
        **msgspec.structs.asdict(default.ranker),
        **msgspec.structs.asdict(default.recipe),
        **{f"offered.{source}": count for source, count in default.recipe.offered.items()},
        "num_leaves": leaves(users * (FOLDS - 1) // FOLDS),
    }
    return {name: values[name] for name in SPACE}


def _distribution(ends: Range) -> BaseDistribution:
    if isinstance(ends.low, int) and isinstance(ends.high, int):
        return IntDistribution(ends.low, ends.high, log=ends.log, step=ends.step)
    return FloatDistribution(ends.low, ends.high, log=ends.log)


_DISTRIBUTIONS: Final = {name: _distribution(ends) for name, ends in SPACE.items()}


def _trial(trial: FrozenTrial) -> Trial:
    by_fold = (round(value, 5) for _, value in sorted(trial.intermediate_values.items()))
    return Trial(tuple(by_fold), trial.state is TrialState.PRUNED)


def _importance(study: optuna.Study) -> dict[str, float]:
    """Share the variance of the trials among the parameters (fANOVA: Hutter, Hoos and Leyton-Brown, 2014)."""
    values = {trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if len(values) < 2:
        return {}
    try:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    except ImportError:
        return {}
    return {name: round(float(share), 5) for name, share in found.items()}
