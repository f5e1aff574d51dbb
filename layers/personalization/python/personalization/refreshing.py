"""Rebuilding a user's lists after an act: live profile in, fresh list out.

Coalesced by revision: a request whose lists are as new as the profile, because another request for the same
user came first, costs reads only.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from msgspec.structs import replace

from personalization import keys
from personalization.builds import Build
from personalization.erasure import is_gone
from personalization.errors import ModelError, Unavailable
from personalization.experiments import Definitions, Visitor
from personalization.in_service import InService
from personalization.keys import Key
from personalization.lists import STORED_ITEMS, ListItem, RecommendationList
from personalization.names import DEFAULT_SURFACE, Consent, Ranker
from personalization.policies import Policy
from personalization.ports import ActiveModel, DefinitionSource, ListStore, ProfileStore, RefreshRequest
from personalization.profiles import Profile, at_seconds

LIST_LIFETIME: Final = timedelta(days=14)


class ListBuilder(Protocol):
    """A loaded model: candidates, features, ranking."""

    @property
    def version(self) -> str:
        """The model's version."""
        ...

    def recommend(
        self,
        profiles: Sequence[Profile],
        *,
        ranker: Ranker,
        now: datetime,
        limit: int,
        policy: Policy,
        seeds: Sequence[int],
        sources_off: Collection[str],
    ) -> list[tuple[ListItem, ...]]:
        """Rank items for each profile, best first; nothing they bought or rated."""
        ...

    def because(self, profile: Profile) -> str | None:
        """Return the title of the item the user acted on last, of those the model knows."""
        ...


@dataclass(frozen=True, slots=True)
class Refresher:
    """Rebuilds lists with the model in service.

    Parameters
    ----------
    model
        Gives the loaded model of a version, `ModelError` for one that is not published; loading a new one may
        take seconds.
    """

    profiles: ProfileStore
    lists: ListStore
    model: Callable[[str], ListBuilder]
    definitions: DefinitionSource
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    in_service: InService = field(default_factory=InService)
    consent_default: Consent = Consent.PERSONALIZATION

    def active(self) -> ActiveModel | None:
        """Return the model in service, or the one that was seconds ago."""
        return self.in_service.current(self.lists, self.clock().timestamp())

    def refresh(self, request: RefreshRequest) -> int:
        """Rebuild what is out of date; return how many lists were written.

        Cost: two reads, one ranking and one write a list. Without a published model nothing happens, nor for
        a user who was forgotten and has not come back, or withholds consent, nor for a visitor who turned out
        to be a user: they are answered as one who is not known. A list is as old as what was read of the
        user, not as its ranking.

        Raises
        ------
        Unavailable
            No definitions of experiments could be read yet.
        """
        definitions = self.definitions.current()
        if definitions is None:
            raise Unavailable("no definitions of experiments could be read yet")
        active = self.active()
        if active is None:
            return 0
        now = self.clock()
        state = self.profiles.load([request.user_key])[request.user_key]
        profile = state.profile
        if state.merged_into or is_gone(state) or not profile.standing(self.consent_default).personal:
            return 0
        wanted = dict(self._wanted(request, profile, definitions, active.version))
        stored = self.lists.read(list(wanted)).lists
        written = 0
        for key, build in wanted.items():
            known = stored.get(key)
            if known is None or known.revision != profile.revision:
                fresh = build_list(
                    self.model(build.model or active.version),
                    profile,
                    build,
                    now=now,
                    list_id=self.new_id(),
                    seed=keys.draw_seed(key, profile.revision),
                )
                written += self.lists.write_list(key, fresh, expires_at=at_seconds(now + LIST_LIFETIME))
        return written

    def _wanted(
        self, request: RefreshRequest, profile: Profile, definitions: Definitions, version: str
    ) -> Iterator[tuple[Key, Build]]:
        visitor = Visitor(request.user_key, facts=profile.facts)
        for surface in surfaces_of(profile, request.surfaces):
            asked = definitions.builds(visitor, surface, self.clock(), any_session=True)
            for build in map(self._as_published, (*asked, *request.builds)):
                key = keys.list_key(request.user_key, surface=surface, version=version, build=build)
                yield key, build

    def _as_published(self, build: Build) -> Build:
        """Return the build, with the model in service if the one it names is not published."""
        if build.model is not None:
            try:
                self.model(build.model)
            except ModelError:
                return replace(build, model=None)
        return build


def surfaces_of(profile: Profile, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Surfaces to keep lists for: those asked for, else those seen lately, else the default one."""
    return tuple(asked) or tuple(profile.surfaces) or (DEFAULT_SURFACE,)


def build_list(
    model: ListBuilder, profile: Profile, build: Build, *, now: datetime, list_id: str, seed: int
) -> RecommendationList:
    """Rank one user's list as it is stored."""
    (items,) = model.recommend(
        [profile],
        ranker=build.ranker,
        policy=build.policy,
        sources_off=build.sources_off,
        seeds=[seed],
        now=now,
        limit=STORED_ITEMS,
    )
    return RecommendationList(
        list_id=list_id,
        model_version=model.version,
        ranker=build.ranker,
        policy=build.policy,
        revision=profile.revision,
        built_at=at_seconds(now),
        items=items,
        because=model.because(profile),
    )
