"""From the log of `get_recommendations` to the lake: what CloudWatch Logs delivers becomes objects.

A delivery holds lines of one log stream. Its exposures become one object a day under a key made of stream
and first line, so that a delivery that comes twice overwrites its own object; what CloudWatch cuts
differently on a retry may overlap, and `exposures.read_exposures` drops repeats.
"""

import gzip
import re
import zlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import msgspec
from msgspec import Struct

from personalization import keys
from personalization.errors import CorruptData, InvalidInput
from personalization.exposures import MESSAGE, Exposure, decode_exposure, encode_exposure
from personalization.ports import Archive

_GZIP_LEVEL: Final = 6


class LogLine(Struct, frozen=True):
    """One log event; `timestamp` in milliseconds since 1970."""

    id: str
    timestamp: int
    message: str


class Delivery(Struct, frozen=True, rename="camel"):
    """What a subscription filter hands to its Lambda.

    Format:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
    """

    message_type: str
    log_group: str
    log_stream: str
    log_events: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class Archived:
    """How many lines of a delivery went where; other lines than exposures are in neither."""

    exposures: int = 0
    quarantined: int = 0


class _Line(Struct):
    """A line of the log, of whatever message."""

    message: str
    exposure: msgspec.Raw = msgspec.Raw()


_deliveries = msgspec.json.Decoder(Delivery)
_lines = msgspec.json.Decoder(_Line)


def decode_delivery(event: Mapping[str, Any]) -> Delivery:
    """Unpack the payload of an invocation by CloudWatch Logs.

    Raises
    ------
    InvalidInput
        `invalid_delivery`: not base64, not gzip, or not a delivery.
    """
    try:
        data = b64decode(event["awslogs"]["data"], validate=True)
        return _deliveries.decode(gzip.decompress(data))
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error, msgspec.DecodeError) as error:
        raise InvalidInput("invalid_delivery", f"not a delivery of CloudWatch Logs: {error}") from None


def archive_exposures(delivery: Delivery, lake: Archive) -> Archived:
    """Write a delivery's exposures, one object a day; set aside the lines that can't be read.

    Cost: one put for each day that the delivery touches, two at midnight, and one a line set aside.
    """
    if delivery.message_type != "DATA_MESSAGE":
        return Archived()
    found: list[tuple[LogLine, Exposure]] = []
    quarantined = 0
    for line in delivery.log_events:
        try:
            exposure = _exposure(line)
        except CorruptData as error:
            _set_aside(line, delivery, str(error), lake)
            quarantined += 1
        else:
            found += [(line, exposure)] if exposure else []
    by_day = sorted(found, key=lambda row: row[1].at.astimezone(UTC).date())
    for day, rows in groupby(by_day, key=lambda row: row[1].at.astimezone(UTC).date()):
        batch = list(rows)
        key = keys.exposure_object(
            datetime(day.year, day.month, day.day, tzinfo=UTC),
            stream=_plain(delivery.log_stream),
            first_id=batch[0][0].id,
        )
        lake.put(key, pack_exposures(exposure for _, exposure in batch))
    return Archived(len(found), quarantined)


def pack_exposures(exposures: Iterable[Exposure]) -> bytes:
    """Encode exposures as an object's body; equal ones give equal bytes."""
    body = b"".join(encode_exposure(exposure) + b"\n" for exposure in exposures)
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _exposure(line: LogLine) -> Exposure | None:
    """Read a log line; None if it is another message that happens to mention exposures."""
    try:
        read = _lines.decode(line.message)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(str(error)) from None
    return decode_exposure(read.exposure) if read.message == MESSAGE else None


def _set_aside(line: LogLine, delivery: Delivery, reason: str, lake: Archive) -> None:
    at = datetime.fromtimestamp(line.timestamp / 1000, UTC)
    stream = _plain(delivery.log_stream)
    body = {
        "reason": reason,
        "log_group": delivery.log_group,
        "log_stream": delivery.log_stream,
        "id": line.id,
        "logged_at": at,
        "line": line.message,
    }
    lake.put(keys.quarantined_line(at, stream=stream, line_id=line.id), msgspec.json.encode(body))


def _plain(stream: str) -> str:
    """Name a log stream without the characters that keys had better not hold.

    >>> _plain("2026/01/15/[$LATEST]0123abcd")
    '2026-01-15-LATEST-0123abcd'
    """
    return "-".join(re.findall(r"[A-Za-z0-9]+", stream))
