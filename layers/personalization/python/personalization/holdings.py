"""What is held about a person: what is at hand at once, and their raw lines, which are gathered meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from personalization.events import Item
from personalization.experiments import Definitions, Visitor
from personalization.inspection import ProfileSummary, summarize
from personalization.lists import ListItem
from personalization.ports import ExportRequest, ListStore, ProfileStore
from personalization.profiles import Profile
from personalization.refreshing import surfaces_of

FRESH: Final = timedelta(days=1)
"""So long is what was gathered handed out, before it is gathered anew."""


class Gathering(StrEnum):
    """Whether the raw lines can be fetched."""

    UNDER_WAY = "under_way"
    """Ask again in some minutes."""
    READY = "ready"


class HeldList(Struct, frozen=True, kw_only=True):
    """One list that was built for the person."""

    name: str
    model_version: str
    built_at: datetime
    items: tuple[ListItem, ...]


class HeldEvents(Struct, frozen=True, kw_only=True):
    """Every event and every answer to a request, as they rest.

    Attributes
    ----------
    url
        Where they can be fetched, for a quarter of an hour: compressed JSON lines.
    """

    status: Gathering
    as_of: datetime | None = None
    url: str | None = None


class Holdings(Struct, frozen=True, kw_only=True):
    """What is held about a person.

    Attributes
    ----------
    user_key
        The pseudonym, under which all of it rests; the id itself is nowhere.
    assignments
        Variant by experiment.
    forgotten_at
        When they last had themselves forgotten; what is held has come since.
    """

    user_key: str
    as_of: datetime
    profile: ProfileSummary | None
    lists: tuple[HeldList, ...]
    assignments: dict[str, str]
    forgotten_at: datetime | None
    events: HeldEvents


class Exports(Protocol):
    """What was gathered about people."""

    def find(self, user_key: str) -> tuple[datetime, str] | None:
        """Return when it was gathered, and where it can be fetched; None if it was not."""
        ...


class ExportQueue(Protocol):
    """Exports that are asked for."""

    def send(self, request: ExportRequest) -> None:
        """Queue a request. Raises `Unavailable` if it was not."""
        ...


@dataclass(frozen=True, slots=True)
class Discloser:
    """Answers who asks what is held about a person.

    Parameters
    ----------
    catalogue
        Reads items by id.
    """

    profiles: ProfileStore
    lists: ListStore
    catalogue: Callable[[Sequence[str]], Mapping[str, Item]]
    exports: Exports
    queue: ExportQueue

    def disclose(self, user_key: str, definitions: Definitions, now: datetime) -> Holdings:
        """Tell what is held. Cost: two reads, a query, a call to S3, and a message at times."""
        state = self.profiles.load([user_key])[user_key]
        lists = self.lists.lists_of(user_key)
        return Holdings(
            user_key=user_key,
            as_of=now,
            profile=summarize(state.profile, self.catalogue),
            lists=tuple(
                HeldList(
                    name=key.sk,
                    model_version=row.model_version,
                    built_at=datetime.fromtimestamp(row.built_at, UTC),
                    items=row.items,
                )
                for key, row in sorted(lists.items())
            ),
            assignments=_assignments(user_key, state.profile, definitions, now),
            forgotten_at=datetime.fromtimestamp(state.erased_at, UTC) if state.erased_at else None,
            events=self._events(user_key, state.erased_at, now),
        )

    def _events(self, user_key: str, erased_at: int, now: datetime) -> HeldEvents:
        found = self.exports.find(user_key)
        if found and now - found[0] < FRESH and found[0].timestamp() >= erased_at:
            return HeldEvents(status=Gathering.READY, as_of=found[0], url=found[1])
        self.queue.send(ExportRequest(user_key, int(now.timestamp())))
        return HeldEvents(status=Gathering.UNDER_WAY)


def _assignments(user_key: str, profile: Profile, definitions: Definitions, now: datetime) -> dict[str, str]:
    visitor = Visitor(user_key, facts=profile.facts)
    surfaces = (*surfaces_of(profile), *(experiment.surface for experiment in definitions.experiments))
    return {
        row.experiment: row.variant
        for surface in dict.fromkeys(surfaces)
        for row in definitions.treatment(visitor, surface, now).assignments
    }
