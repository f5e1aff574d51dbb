"""A tuning as a section of the report: what was tried, what it gained, and what mattered."""

from html import escape
from itertools import accumulate
from typing import Final

from training.charts import bars, curve, table
from training.settings import Settings
from training.tuned import Tuned

_SHOWN: Final = 10


def tuning_section(tuned: Tuned) -> str:
    """Lay out verdict, search and parameters as HTML."""
    best = accumulate((trial.ndcg for trial in tuned.trials if not trial.pruned), max)
    parts = [
        f"<p class=soft>{escape(_search(tuned))}</p><p>{escape(verdict(tuned))}</p>",
        curve(list(best), "{:.4f}", label="best NDCG@10 so far", unit="trials that were not pruned"),
        _changes(tuned),
    ]
    if tuned.importance:
        shares = dict(list(tuned.importance.items())[:_SHOWN])
        words = "Share of the variance among trials that each parameter explains by fANOVA."
        parts += [f"<p class=soft>{words}</p>", bars(shares, "{:.0%}", label="importance of parameters")]
    return "".join(parts)


def verdict(tuned: Tuned) -> str:
    """Say whether the defaults were replaced, and why."""
    if tuned.best == 0:
        return "The defaults stay: no trial was better."
    gained = tuned.gained
    words = f"the best trial has {gained.mean:+.4f} NDCG@10 (95%: {gained.low:+.4f} to {gained.high:+.4f})"
    if tuned.replaced:
        return f"The defaults were replaced: {words}."
    return f"The defaults stay: {words}, which is not certain."


def _search(tuned: Tuned) -> str:
    pruned = sum(trial.pruned for trial in tuned.trials)
    return (
        f"{len(tuned.trials)} trials, {pruned} of them pruned, the first with the defaults. NDCG@10 of "
        f"{tuned.users:,} users' train labels by cross-validation over users; the test stage was not seen. "
        "The best of many trials looks better than it is: the held-out accuracy above has the last word."
    )


def _changes(tuned: Tuned) -> str:
    default = Settings().hyperparameters()
    rows = [
        [name, default.get(name, "by training users"), value]
        for name, value in tuned.best_hyperparameters.items()
        if value != default.get(name) and name != "seed"
    ]
    return table(["parameter", "default", "best trial"], rows) if rows else ""
