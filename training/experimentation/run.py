"""One run of the analysis: states are brought up to date and kept, then results are made of them and stored.

Whatever a run is interrupted at, the next one makes good: what was not kept is read again, results that were
not stored are made again of the state. Of two runs at once one keeps its state, the other steps back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from personalization.errors import AttuneError, Conflict
from personalization.experiment_results import ExperimentResults, encode_results
from personalization.keys import experiment_results, experiment_state
from personalization.ports import ExperimentStore
from personalization.tokens import Keys
from training.experimentation.analysis import analyze
from training.experimentation.lake_reader import Lake, Progress, Reading, begin, read_lake
from training.experimentation.state_file import decode_state, encode_state
from training.experimentation.study import Study
from training.experimentation.totals_state import LeftOut, TotalsState


class Objects(Lake, Protocol):
    """The lake's objects, and those that the analysis itself keeps beside them."""

    def load(self, key: str) -> tuple[bytes, str] | None:
        """Read an object and its tag; None if there is none."""
        ...

    def save(self, key: str, body: bytes, *, instead_of: str | None) -> str:
        """Write an object in place of the one of a tag, None standing for none; return its tag.

        Raises
        ------
        Conflict
            Another one is there.
        """
        ...

    def put(self, key: str, body: bytes) -> None:
        """Write an object over whatever is there."""
        ...


@dataclass(frozen=True, slots=True)
class Analyzed:
    """What a run made of one experiment.

    Attributes
    ----------
    results
        None where there are none.
    reason
        Why there are none.
    failed
        Whether that needs somebody to look at it.
    forced, bots
        Users left out because they looked at a variant chosen by hand, or never were anybody but a crawler.
    """

    name: str
    results: ExperimentResults | None = None
    reason: str = ""
    failed: bool = False
    forced: int = 0
    bots: int = 0


@dataclass(slots=True)
class _Open:
    """A state, and the tag under which it was found."""

    reading: Reading
    tag: str | None

    @property
    def key(self) -> str:
        return experiment_state(self.reading.study.name)


def run(
    studies: Sequence[Study],
    *,
    objects: Objects,
    table: ExperimentStore,
    secret: Keys,
    now: datetime,
    go_on: Callable[[], bool] = lambda: True,
) -> tuple[Progress, list[Analyzed]]:
    """Analyze experiments; one that fails does not keep the others from theirs.

    Cost, an experiment: its state read and written once, an analysis linear in its users, a read and two
    writes of the table, an object of results; and `read_lake` for all of them together.

    Parameters
    ----------
    secret
        The key, or the keys, that signed the recommendation ids.
    go_on
        Tells whether there is time for another chunk of the lake.
    """
    done: list[Analyzed] = []
    opened = [found for study in studies if (found := _open(study, objects, now, done))]
    progress = read_lake([one.reading for one in opened], objects, secret, now=now, go_on=go_on)
    for one in opened:
        try:
            done.append(_conclude(one, objects, table, now, complete=not progress.left))
        except Conflict:
            done.append(Analyzed(one.reading.study.name, reason="another run was faster"))
        except AttuneError as error:
            done.append(Analyzed(one.reading.study.name, reason=str(error), failed=True))
    return progress, done


def _open(study: Study, objects: Objects, now: datetime, done: list[Analyzed]) -> _Open | None:
    if not study.has_begun(now):
        done.append(Analyzed(study.name, reason=f"begins on {study.starts_at:%Y-%m-%d %H:%M}"))
        return None
    try:
        found = objects.load(experiment_state(study.name))
        state, tag = (decode_state(found[0]), found[1]) if found else (begin(study), None)
    except AttuneError as error:
        done.append(Analyzed(study.name, reason=str(error), failed=True))
        return None
    if state.closed:
        done.append(Analyzed(study.name, reason="ended, and its last analysis is made"))
        return None
    return _Open(Reading(study, state), tag)


def _conclude(
    one: _Open, objects: Objects, table: ExperimentStore, now: datetime, *, complete: bool
) -> Analyzed:
    """Keep the state, then store the results, then close the state of an experiment that is over."""
    study, state = one.reading.study, one.reading.state
    tag = objects.save(one.key, encode_state(state), instead_of=one.tag)
    results = _results(study, state, table, now)
    if not table.write_results(results):
        return Analyzed(study.name, reason="later results are stored already")
    objects.put(experiment_results(now, study.name), encode_results(results) + b"\n")
    if complete and study.is_settled(now):
        state.closed = True
        objects.save(one.key, encode_state(state), instead_of=tag)
    return Analyzed(
        study.name, results, forced=state.left_out(LeftOut.FORCED), bots=state.left_out(LeftOut.BOT)
    )


def _results(study: Study, state: TotalsState, table: ExperimentStore, now: datetime) -> ExperimentResults:
    stored = table.results([study.name])
    return analyze(
        state.totals(study.arms),
        replace(study.design, strata=max(len(state.strata), 1)),
        as_of=now,
        started_at=state.first_exposed_at(),
        earlier=stored[0].looks if stored else (),
        crossed_over=state.left_out(LeftOut.CROSSED),
    )
