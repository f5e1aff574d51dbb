"""Plan an experiment: how many users it needs, and how many days, at one look and with always-valid looks.

``python -m training.experimentation.plan --baseline 0.03 --effect 0.1 --daily-users 2000``
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from training.experimentation.sample_size import days, total_users

_console = Console(highlight=False)
_BESIDE: Final = (0.5, 1.0, 2.0)
"""The table shows half and twice the effect, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is planned; see the command's help."""

    baseline: float
    effect: float
    daily_users: float
    variants: int
    deviation: float | None
    impressions: float
    correlation: float
    alpha: float
    power: float
    tuning_users: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Users of each variant, and days until all have come."""

    effect: float
    one_look: float
    one_look_days: float | None
    always_valid: float
    always_valid_days: float | None


def answer(question: Question, effect: float) -> Answer:
    """Plan for one relative effect, with equal shares; several variants by Bonferroni."""
    spread = 2 * (_variance(question, 1.0) + _variance(question, 1 + effect))
    alpha = question.alpha / (question.variants - 1)
    one_look, always_valid = (
        total_users(
            spread, effect * question.baseline, alpha=alpha, power=question.power, tuning_users=tuning
        )
        / 2
        for tuning in (None, question.tuning_users)
    )
    return Answer(
        effect,
        one_look,
        days(one_look * question.variants, question.daily_users),
        always_valid,
        days(always_valid * question.variants, question.daily_users),
    )


def _variance(question: Question, times: float) -> float:
    """Return the variance by user of a mean `times` the baseline.

    A given deviation grows as that of counts does, with the mean's root. A rate over m impressions that
    correlate by r has p (1 - p) (1 + (m - 1) r) / m (Kish, 1965).
    """
    if question.deviation is not None:
        return question.deviation**2 * times
    rate, shown = question.baseline * times, question.impressions
    return rate * (1 - rate) * (1 + (shown - 1) * question.correlation) / shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan as a table."""
    question = _question(arguments)
    table = Table(
        title=f"Users of each of {question.variants} variants, power {question.power:.0%}, "
        f"alpha {question.alpha:g}"
    )
    for name in ("effect", "one look", "days", "always-valid", "days"):
        table.add_column(name, justify="right")
    for times in _BESIDE:
        planned = answer(question, question.effect * times)
        table.add_row(
            f"{planned.effect:+.1%}",
            f"{planned.one_look:,.0f}",
            _days(planned.one_look_days),
            f"{planned.always_valid:,.0f}",
            _days(planned.always_valid_days),
        )
    _console.print(table)
    _console.print(
        "One look: a single test when all are there. "
        "Always-valid: look as often as you like, and stop at the first find."
    )
    return 0


def _days(number: float | None) -> str:
    return "never" if number is None else f"{number:,.1f}"


def _question(arguments: Sequence[str] | None) -> Question:
    parser = argparse.ArgumentParser(
        prog="python -m training.experimentation.plan", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--baseline", type=float, required=True, help="rate or mean of the control, as 0.03")
    add("--effect", type=float, required=True, help="relative lift to detect, as 0.1")
    add("--daily-users", type=float, required=True, help="new users of the experiment a day, all variants")
    add("--variants", type=int, default=2, help="with the control (2)")
    add("--deviation", type=float, help="standard deviation by user, if the baseline is no rate")
    add("--impressions", type=float, default=1.0, help="of a user, if the baseline is a click rate (1)")
    add("--correlation", type=float, default=0.0, help="of two impressions of a user (0)")
    add("--alpha", type=float, default=0.05)
    add("--power", type=float, default=0.8)
    add("--tuning-users", type=int, default=5_000, help="of the always-valid test (5000)")
    question = Question(**vars(parser.parse_args(arguments)))
    rate = question.deviation is None
    for holds, words in (
        (question.baseline > 0, "--baseline must be above 0"),
        (question.effect > 0, "--effect must be above 0, as 0.1 for ten percent more"),
        (
            not rate or question.baseline * (1 + 2 * question.effect) < 1,
            "a rate must stay below 1; if it is none, give --deviation",
        ),
        (rate or (question.deviation or 0) > 0, "--deviation must be above 0"),
        (question.daily_users >= 0, "--daily-users must be 0 or more"),
        (question.variants >= 2, "--variants must be 2 or more"),
        (
            question.impressions >= 1 and 0 <= question.correlation <= 1,
            "--impressions must be 1 or more, --correlation 0 to 1",
        ),
        (0 < question.alpha < 0.5 < question.power < 1, "alpha must be below 0.5, power between 0.5 and 1"),
        (question.tuning_users >= 1, "--tuning-users must be 1 or more"),
    ):
        if not holds:
            parser.error(words)
    return question


if __name__ == "__main__":
    raise SystemExit(main())
