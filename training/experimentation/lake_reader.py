"""Brings the states of experiments up to date with the lake: each object is read once, for all of them.

New objects are found by listing the days that may still get some, today and the seven before. An object that
was overwritten since, as a retried batch does, is read again, and outcomes that counted count no more.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np

from personalization.archiving import read_lines
from personalization.attribution import outcomes
from personalization.errors import CorruptData, InvalidInput
from personalization.events import decode_event
from personalization.exposures import Assigned, decode_exposure
from personalization.exposures import Exposure as ExposureRecord
from personalization.keys import event_prefix, exposure_prefix
from personalization.profiles import NO_FACTS, at_seconds, segment_of
from personalization.tokens import Keys
from training.experimentation.study import COVARIATES, Study
from training.experimentation.totals_state import (
    DAY,
    KIND,
    Exposure,
    LeftOut,
    Outcome,
    TotalsState,
    hash_of,
)

CHUNK_OBJECTS: Final = 32
"""Objects that are read and taken in before the time is looked at."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECEIPT: Final = b'"recommendation_id"'
_DAMAGE: Final = (CorruptData, OSError, EOFError, zlib.error, msgspec.DecodeError)


class Lake(Protocol):
    """The objects of the lake."""

    def listing(self, prefix: str) -> Iterable[tuple[str, str]]:
        """List key and tag of the keys that begin with a prefix, in order; a tag changes with the content."""
        ...

    def bodies(self, keys: Sequence[str]) -> Iterator[bytes]:
        """Read objects, in the order of their keys."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """An experiment and its state."""

    study: Study
    state: TotalsState


@dataclass(slots=True)
class Progress:
    """What a run read.

    Attributes
    ----------
    objects, left
        Objects that were read, and those that time was too short for: the next run goes on with them.
    exposures, outcomes
        Taken in by some experiment, repeats among them.
    damaged
        Keys of objects that can't be read; they are passed over.
    """

    objects: int = 0
    left: int = 0
    exposures: int = 0
    outcomes: int = 0
    damaged: list[str] = field(default_factory=list)


class _Object(NamedTuple):
    exposes: bool
    day: int
    key: str
    hash: int
    wanted_by: list[Reading]


@dataclass(slots=True)
class _Found:
    """What a chunk of objects says of one experiment."""

    exposures: list[Exposure] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def begin(study: Study) -> TotalsState:
    """Return the state of an experiment that was not analyzed yet."""
    return TotalsState(study.name, started_at=at_seconds(study.starts_at) if study.starts_at else 0)


def read_lake(
    readings: Sequence[Reading],
    lake: Lake,
    secret: Keys,
    *,
    now: datetime,
    go_on: Callable[[], bool] = lambda: True,
) -> Progress:
    """Read what is new, and take it into the states.

    Cost: a listing call for 1,000 objects of each open day; a get and about 30 microseconds an event for an
    object that some experiment has not read. Memory: the states, and what a chunk says of exposures and
    outcomes. Once all objects are read, the states move on to `now`; a run cut short leaves its days open.

    Parameters
    ----------
    secret
        The key, or the keys, that signed the recommendation ids.
    go_on
        Asked after each chunk whether there is time for another.
    """
    today = at_seconds(now) // DAY
    progress = Progress()
    pending = _unread(readings, lake, today)
    progress.left = len(pending)
    for chunk in batched(pending, CHUNK_OBJECTS, strict=False):
        if progress.objects and not go_on():
            return progress
        _take_in(chunk, lake, secret, progress)
        progress.objects += len(chunk)
        progress.left -= len(chunk)
    for reading in readings:
        reading.state.close_days(today)
    return progress


def _unread(readings: Sequence[Reading], lake: Lake, today: int) -> list[_Object]:
    """List the objects that some experiment has not read, exposures first, by day and key."""
    first_days = [_first_day(reading, today) for reading in readings]
    found = []
    for exposes, prefix in ((True, exposure_prefix), (False, event_prefix)):
        for day in range(min(first_days, default=today), today + 1):
            due = [reading for reading, first in zip(readings, first_days, strict=True) if first <= day]
            listed = list(lake.listing(prefix(_EPOCH + timedelta(days=day))))
            hashes = np.array([hash_of(*one) for one in listed], dtype=np.uint64)
            read = [reading.state.was_read(day, hashes).tolist() for reading in due]
            for number, (key, _) in enumerate(listed):
                wanted_by = [reading for reading, known in zip(due, read, strict=True) if not known[number]]
                if wanted_by:
                    found.append(_Object(exposes, day, key, int(hashes[number]), wanted_by))
    return found


def _first_day(reading: Reading, today: int) -> int:
    """Return the first day to look at: of a new state with a start, that of the earliest covariate."""
    state = reading.state
    if state.through is None and state.started_at:
        return (state.started_at - int(COVARIATES.total_seconds())) // DAY
    return state.first_open_day(today)


def _take_in(chunk: Sequence[_Object], lake: Lake, secret: Keys, progress: Progress) -> None:
    found: dict[str, _Found] = {}
    for one, body in zip(chunk, lake.bodies([one.key for one in chunk]), strict=True):
        readings = {reading.study.name: reading for reading in one.wanted_by}
        try:
            lines = gzip.decompress(body).splitlines()
            exposed = list(_exposed(lines, readings)) if one.exposes else []
            done = [] if one.exposes else list(_done(lines, readings, secret))
        except _DAMAGE:
            progress.damaged.append(one.key)
            continue
        for name, exposure in exposed:
            found.setdefault(name, _Found()).exposures.append(exposure)
        for name, outcome in done:
            found.setdefault(name, _Found()).outcomes.append(outcome)
    for name, reading in {reading.study.name: reading for one in chunk for reading in one.wanted_by}.items():
        facts = found.get(name, _Found())
        progress.exposures += len(facts.exposures)
        progress.outcomes += len(facts.outcomes)
        reading.state.expose(facts.exposures)
        reading.state.add(facts.outcomes)
        _note(reading, chunk)


def _note(reading: Reading, chunk: Sequence[_Object]) -> None:
    read: dict[int, list[int]] = {}
    for one in chunk:
        if reading in one.wanted_by:
            read.setdefault(one.day, []).append(one.hash)
    for day, hashes in read.items():
        reading.state.note_read(day, hashes)


def _exposed(lines: Iterable[bytes], readings: Mapping[str, Reading]) -> Iterator[tuple[str, Exposure]]:
    for line in lines:
        record = decode_exposure(line)
        for assigned in record.assignments:
            reading = readings.get(assigned.experiment)
            unit = _unit(reading, record.user_key, record.session_id)
            if reading and unit:
                yield assigned.experiment, _exposure(reading, unit, record, assigned)


def _exposure(reading: Reading, unit: str, record: ExposureRecord, assigned: Assigned) -> Exposure:
    state = reading.state
    left_out = (LeftOut.FORCED if assigned.forced else 0) | (LeftOut.BOT if record.bot else 0)
    return Exposure(
        user=hash_of(unit),
        variant=_place(state.variants, assigned.variant),
        stratum=_place(state.strata, _stratum(reading.study, record)),
        at=at_seconds(record.at),
        left_out=int(left_out),
    )


def _stratum(study: Study, record: ExposureRecord) -> str:
    return segment_of(NO_FACTS._replace(**{name: getattr(record, name) for name in study.strata}))


def _done(
    lines: Iterable[bytes], readings: Mapping[str, Reading], secret: Keys
) -> Iterator[tuple[str, Outcome]]:
    for line in read_lines(lines):
        if _RECEIPT not in bytes(line.event):
            continue
        try:
            event = decode_event(line.event)
        except InvalidInput:
            # Quarantined by `update_profiles`, with the reason.
            continue
        for credit in outcomes(event, secret):
            named = {assignment.experiment for assignment in credit.assignments}
            at = at_seconds(credit.at)
            for name, reading in readings.items():
                before = name not in named
                unit = _unit(reading, event.user_key, event.session_id)
                if unit and (not before or _is_covariate(reading, at)):
                    yield (
                        name,
                        Outcome(
                            user=hash_of(unit),
                            identity=hash_of(unit, credit.identity),
                            day=at // DAY,
                            kind=KIND[credit.event_type],
                            before=before,
                            value=credit.value,
                        ),
                    )


def _is_covariate(reading: Reading, at: int) -> bool:
    started_at = reading.state.started_at
    return started_at - COVARIATES.total_seconds() <= at < started_at


def _unit(reading: Reading | None, user_key: str, session_id: str | None) -> str | None:
    return session_id if reading and reading.study.by_session else user_key


def _place(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)
