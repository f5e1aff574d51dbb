"""What a tuning came to, and whether its best settings are certain enough to replace the defaults."""

from collections.abc import Sequence

import msgspec
import numpy as np

from training.evaluation import Difference, difference


class TuningError(RuntimeError):
    """Tuning can't begin or go on; the message says what to do."""


class Trial(msgspec.Struct, frozen=True):
    """One try of settings.

    Attributes
    ----------
    by_fold
        Mean NDCG@10 of the first fold's users, of the first two folds', and so on: comparable at equal
        places only.
    pruned
        Ended before the last fold, as others were better by then.
    """

    by_fold: tuple[float, ...]
    pruned: bool

    @property
    def ndcg(self) -> float:
        """Mean NDCG@10 over the users of the folds that were scored."""
        return self.by_fold[-1]


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a tuning.

    Attributes
    ----------
    users
        Labelled users of the train stage who were ranked, each once a trial.
    trials
        In their order; the first one is the defaults.
    best
        Place among `trials`; 0 is the defaults.
    gained
        What the best trial has more NDCG@10 than the defaults, user by user.
    replaced
        Whether the best settings replace the defaults.
    best_hyperparameters, hyperparameters
        Of the best trial, and what the model is made with: the same, or the defaults.
    importance
        Hyperparameter -> share of the variance among trials, largest first; empty if it is not known.
    """

    users: int
    trials: tuple[Trial, ...]
    best: int
    gained: Difference
    replaced: bool
    best_hyperparameters: dict[str, str]
    hyperparameters: dict[str, str]
    importance: dict[str, float]


def compared(best: Sequence[float], default: Sequence[float]) -> Difference:
    """Compare the same users' NDCG@10 under two settings, by a paired bootstrap."""
    return difference(np.asarray(best, dtype=np.float64) - np.asarray(default, dtype=np.float64))


def is_certain(gained: Difference) -> bool:
    """Whether the 95% interval lies above 0.

    The best of many trials looks better than it is, on the very users that chose it: this asks for more than
    luck of one comparison, and the held-out items, which tuning has not seen, have the last word.
    """
    return gained.low > 0
