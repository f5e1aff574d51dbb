"""The request's parameters, checked: what is asked for, by whom, and in which variants."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from personalization.errors import InvalidInput
from personalization.experiments import Assignment
from personalization.lists import DEFAULT_LIMIT, MAX_LIMIT
from personalization.names import DEFAULT_SURFACE
from personalization.profiles import Facts
from personalization.serving import Query

MAX_ID: Final = 128
MAX_EXCLUDED: Final = 200
_SURFACE: Final = re.compile(r"[a-z0-9_-]{1,32}")
_SESSION: Final = re.compile(rf"[!-~]{{1,{MAX_ID}}}")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def parse_query(
    user_id: str,
    values: Mapping[str, str],
    *,
    user_key: Callable[[str], str],
    viewer_country: str | None,
    may_force: bool = False,
) -> Query:
    """Check the parameters of a request for recommendations.

    Parameters
    ----------
    may_force
        Whether the caller may choose variants, as `variant=experiment:variant`; else they are passed over.

    Raises
    ------
    InvalidInput
        `invalid_user_id` or `invalid_parameter`, naming the parameter and what it may be.
    """
    check_user_id(user_id)
    surface = values.get("surface", DEFAULT_SURFACE)
    if not _SURFACE.fullmatch(surface):
        raise InvalidInput("invalid_parameter", "surface has 1 to 32 characters of a-z, 0-9, _ and -")
    excluded = frozenset(filter(None, values.get("exclude", "").split(",")))
    if len(excluded) > MAX_EXCLUDED:
        raise InvalidInput("invalid_parameter", f"exclude names at most {MAX_EXCLUDED} items")
    country = values.get("country") or viewer_country
    if country and not _COUNTRY.fullmatch(country):
        raise InvalidInput("invalid_parameter", "country is an ISO 3166 code of two letters")
    return Query(
        user_key=user_key(user_id),
        surface=surface,
        limit=parse_limit(values),
        exclude=excluded,
        facts=Facts.of(country, values.get("device", "")[:64], values.get("referrer")),
        session_id=_session_id(values),
        forced=_forced(values) if may_force else (),
    )


def check_user_id(user_id: str) -> None:
    """Check the user of a path.

    Raises
    ------
    InvalidInput
        `invalid_user_id`.
    """
    if not 1 <= len(user_id) <= MAX_ID or _CONTROL.search(user_id):
        raise InvalidInput("invalid_user_id", f"user_id has 1 to {MAX_ID} printable characters")


def _session_id(values: Mapping[str, str]) -> str | None:
    session_id = values.get("session_id")
    if session_id is not None and not _SESSION.fullmatch(session_id):
        raise InvalidInput("invalid_parameter", f"session_id has 1 to {MAX_ID} visible ASCII characters")
    return session_id


def _forced(values: Mapping[str, str]) -> tuple[Assignment, ...]:
    chosen = [part.partition(":") for part in values.get("variant", "").split(",") if part]
    return tuple(Assignment(experiment, variant) for experiment, _, variant in chosen)


def parse_limit(values: Mapping[str, str]) -> int:
    """Check `limit`; raises `InvalidInput` as `parse_query` does."""
    text = values.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput("invalid_parameter", f"limit is a whole number from 1 to {MAX_LIMIT}")
    return int(text)
