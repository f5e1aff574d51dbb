"""Who was given which variant when: the record that every answer of `get_recommendations` leaves.

It travels as a field of a log line and rests in the lake as gzipped JSON lines, one object a delivery of the
log and day (docs/decisions/0054). What was shown in vain is another matter: `exposure`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from personalization.errors import CorruptData
from personalization.experiments import Assignment
from personalization.names import Degraded, Source

MESSAGE: Final = "exposure"
"""The log line's message, and the field that holds the record."""


class Assigned(Struct, frozen=True, omit_defaults=True):
    """A user's variant in one experiment.

    Attributes
    ----------
    forced
        Chosen by hand, to look at a variant: no analysis counts it.
    """

    experiment: str
    variant: str
    forced: bool = False


class Exposure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer, as far as experiments and their analysis need to know it.

    About 340 bytes as JSON with one assignment.

    Attributes
    ----------
    request_id
        Unique to the answer: by it repeats are told.
    at
        When it was given, UTC; the receipt's `issued_at`.
    assignments
        Empty for users outside of every experiment: their share is the coverage's check.
    receipt
        `tokens.tail` of the `recommendation_id`: joins the events that bring it back, without the key.
    session_id
        The visit, if the client named it: the unit of experiments by session.
    country, device, referrer
        What was known of the visitor, by which an experiment's strata are told apart.
    bot
        A crawler asked; the record is kept and read by nothing that counts people.
    degraded
        What stood in for the user's list, which could not be read: such an answer exposed nobody to anything.
    """

    request_id: Annotated[str, Meta(min_length=1)]
    at: Annotated[datetime, Meta(tz=True)]
    user_key: Annotated[str, Meta(min_length=1)]
    surface: str
    list_id: str
    source: Source
    model_version: str = ""
    receipt: str = ""
    assignments: tuple[Assigned, ...] = ()
    session_id: str | None = None
    country: str | None = None
    device: str | None = None
    referrer: str | None = None
    bot: bool = False
    degraded: Degraded | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Exposure)


def assigned(assignments: Iterable[Assignment], *, forced: Iterable[Assignment] = ()) -> tuple[Assigned, ...]:
    """Name the variants of a treatment, and those that were chosen by hand."""
    return (
        *(Assigned(row.experiment, row.variant) for row in assignments),
        *(Assigned(row.experiment, row.variant, forced=True) for row in forced),
    )


def encode_exposure(exposure: Exposure) -> bytes:
    """Canonical JSON: fields in order of definition, defaults left out."""
    return _encoder.encode(exposure)


def decode_exposure(line: bytes | msgspec.Raw) -> Exposure:
    """Read one record.

    Raises
    ------
    CorruptData
        Not a record; the message names the field.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(str(error)) from None


def read_exposures(lines: Iterable[bytes]) -> Iterator[Exposure]:
    """Parse the lines of lake objects: each answer once, those given to crawlers left out.

    Memory: about 100 bytes a record, for the ids.

    Raises
    ------
    CorruptData
        The archiver wrote no such line: the object was damaged.
    """
    known: set[str] = set()
    for line in lines:
        exposure = decode_exposure(line)
        if exposure.request_id not in known and not exposure.bot:
            known.add(exposure.request_id)
            yield exposure
