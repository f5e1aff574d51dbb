"""The analysis of experiments: hourly of all of them, on demand of one."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from functions.analyze_experiments.dependencies import dependencies
from functions.analyze_experiments.metrics import publish
from personalization.runtime.clock import now
from personalization.runtime.observability import logger, worker
from training.experimentation.run import Analyzed, run
from training.experimentation.study import Study, study_of

_CONCLUDING_MS: Final = 300_000
"""Kept for analyses, states and results, when the lake holds more than there is time for."""
Json = dict[str, Any]


class AnalysisFailedError(RuntimeError):
    """Some experiment could not be analyzed; the others are."""


class UnknownExperimentError(ValueError):
    """No experiment of this name is defined."""


@worker
def handler(event: Mapping[str, Any], context: Any) -> Json:
    """Analyze `{"experiment": name}`, or all of them; return each one's decision and verdict.

    Raises
    ------
    AnalysisFailedError
        After all others were analyzed, so that an alarm tells; the message holds the reasons.
    """
    deps = dependencies()
    progress, analyzed = run(
        _chosen(event.get("experiment")),
        objects=deps.objects,
        table=deps.table,
        secret=deps.token_keys(),
        now=now(),
        go_on=partial(_has_time, context),
    )
    logger.info(
        "read the lake", objects=progress.objects, exposures=progress.exposures, outcomes=progress.outcomes
    )
    if progress.left:
        logger.warning("no time for the whole lake; the next run goes on", objects_left=progress.left)
    for key in progress.damaged:
        logger.error("passed a damaged object over", key=key)
    for one in analyzed:
        _tell(one)
    failed = [f"{one.name}: {one.reason}" for one in analyzed if one.failed]
    if failed:
        raise AnalysisFailedError("; ".join(failed))
    return {"objects": progress.objects, "left": progress.left, "experiments": list(map(_brief, analyzed))}


def _chosen(name: str | None) -> list[Study]:
    defined = dependencies().experiments()
    chosen = [study_of(one) for one in defined if name in (None, one.name)]
    if name is not None and not chosen:
        known = ", ".join(one.name for one in defined) or "none"
        raise UnknownExperimentError(f"there is no experiment {name}; defined are {known}")
    return chosen


def _has_time(context: Any) -> bool:
    return bool(context.get_remaining_time_in_millis() > _CONCLUDING_MS)


def _tell(one: Analyzed) -> None:
    if one.results is None:
        (logger.error if one.failed else logger.info)("not analyzed", experiment=one.name, reason=one.reason)
        return
    publish(one.results)
    logger.info(
        "verdict",
        experiment=one.name,
        decision=one.results.decision,
        verdict=one.results.verdict,
        users=one.results.users,
        crossed_over=one.results.crossed_over,
        forced=one.forced,
        bots=one.bots,
    )


def _brief(one: Analyzed) -> Json:
    if one.results is None:
        return {"experiment": one.name, "reason": one.reason}
    return {
        "experiment": one.name,
        "decision": one.results.decision,
        "verdict": one.results.verdict,
        "users": one.results.users,
    }
