"""The read path: one database call, no model, always an answer.

What changes rarely (the model in service, shared lists, unavailable items) rides along in the same
call when the copy kept here is older than `CACHE_SECONDS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from personalization import keys
from personalization.builds import Build
from personalization.errors import InvalidInput, Unavailable
from personalization.experiments import NO_EXPERIMENTS, Assignment, Definitions, Treatment, Visitor
from personalization.keys import Key
from personalization.lists import ListItem, RecommendationList, choose
from personalization.names import Consent, Source
from personalization.ports import (
    ActiveModel,
    DefinitionSource,
    ListStore,
    RefreshQueue,
    RefreshRequest,
    Snapshot,
)
from personalization.profiles import NO_FACTS, Facts, Profile
from personalization.tokens import issue

CACHE_SECONDS: Final = 10.0
MAX_CACHED_SEGMENTS: Final = 60
LABELS: Final = {
    Source.SEGMENT: "Popular right now",
    Source.TRENDING: "Trending now",
    Source.POPULAR: "Popular",
    Source.NONE: "",
}
"""What a fallback list is called: a variant's label promises more than it holds."""


@dataclass(frozen=True, slots=True)
class Query:
    """A request for recommendations, checked.

    Attributes
    ----------
    forced
        Variants to show whatever the user is in.
    """

    user_key: str
    surface: str
    limit: int
    exclude: frozenset[str] = frozenset()
    facts: Facts = NO_FACTS
    session_id: str | None = None
    forced: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The answer: items in order, where they came from, and what they count for.

    Attributes
    ----------
    facts
        What is known of the visitor, by the request and from before.
    experiments_known
        False while no definitions could be read: everybody gets the defaults, and counts for nothing.
    consent
        What was in force: without `personalization` nothing but the request itself was looked at.
    """

    recommendation_id: str
    label: str
    items: list[ListItem]
    source: Source
    model_version: str | None
    assignments: tuple[Assignment, ...]
    list_id: str
    issued_at: datetime
    facts: Facts = NO_FACTS
    experiments_known: bool = True
    consent: Consent = Consent.PERSONALIZATION


@dataclass
class SharedLists:
    """What all users share, read at most once in `CACHE_SECONDS`.

    A name in `lists` without a list is read along next time: absent, or not looked up yet.
    """

    active: ActiveModel | None = None
    unavailable: frozenset[str] = frozenset()
    lists: dict[str, RecommendationList | None] = field(default_factory=dict)
    read_at: float = float("-inf")

    def wanted(self, segments: list[str], now: float) -> list[Key]:
        """Keys to read along: all of it when the copy is old, else only segments never looked up."""
        if now - self.read_at >= CACHE_SECONDS:
            if len(self.lists) >= MAX_CACHED_SEGMENTS:
                self.lists = {}
            names = {*self.lists, *segments}
            return [keys.ACTIVE_MODEL, keys.UNAVAILABLE_ITEMS, *self._list_keys(names)]
        return self._list_keys({name for name in segments if name not in self.lists})

    def _list_keys(self, names: set[str]) -> list[Key]:
        if self.active is None:
            return []
        return [keys.segment_key(name, version=self.active.version) for name in sorted(names)]

    def take(self, snapshot: Snapshot, wanted: list[Key], now: float) -> None:
        """Keep what was read; after a switch of the model, shared lists are read again next time."""
        for key in wanted:
            if key == keys.ACTIVE_MODEL:
                self.read_at = now if snapshot.active == self.active else float("-inf")
                self.active = snapshot.active
                self.unavailable = snapshot.unavailable
            elif key.pk.startswith("SEGMENT#"):
                self.lists[key.pk.removeprefix("SEGMENT#")] = snapshot.lists.get(key)


def shared_list(
    name: str, *, store: ListStore, shared: SharedLists, limit: int, now: datetime
) -> tuple[list[ListItem], str | None]:
    """Return the first items of a list that all users share, and its model version.

    At most one call to the store in `CACHE_SECONDS`, two in a process's first request.
    """
    for _ in range(2):
        wanted = shared.wanted([name], now.timestamp())
        if wanted:
            shared.take(store.read(wanted), wanted, now.timestamp())
    found = shared.lists.get(name)
    if found is None:
        return [], None
    return choose(found.items, limit=limit, unavailable=shared.unavailable), found.model_version


@dataclass(frozen=True, slots=True)
class _LookedUp:
    """What a request needs to know of its user.

    Attributes
    ----------
    own
        The user's list that the treatment asks for.
    """

    treatment: Treatment
    profile: Profile | None
    facts: Facts
    own: RecommendationList | None
    consent: Consent


@dataclass
class Recommender:
    """Answers requests for recommendations.

    Parameters
    ----------
    defaults
        What is shown while no definitions can be read.
    consent_default
        In force for who never said anything.
    """

    store: ListStore
    refreshes: RefreshQueue
    definitions: DefinitionSource
    token_secret: bytes
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    defaults: Definitions = NO_EXPERIMENTS
    consent_default: Consent = Consent.PERSONALIZATION
    shared: SharedLists = field(default_factory=SharedLists)

    def recommend(self, query: Query) -> Recommendations:
        """Answer from the user's list, else from the ladder segment, trending, popular.

        One call to the store; a second one only in a process's first request, which doesn't know the
        model in service yet. Queues a refresh when the list is missing or out of date.
        """
        now = self.clock()
        definitions = self.definitions.current()
        looked_up = self._look_up(query, definitions or self.defaults, now)
        own, treatment, profile = looked_up.own, looked_up.treatment, looked_up.profile
        revision = profile.revision if profile else 0
        fresh = own is not None and _is_fresh(own, treatment.build, revision)
        if self.shared.active and revision and not fresh:
            self._ask_for_refresh(query, treatment.build)
        found, source = self._pick(looked_up.facts, own, fresh)
        items = choose(
            found.items if found else (),
            limit=query.limit,
            profile=profile,
            unavailable=self.shared.unavailable,
            exclude=query.exclude,
        )
        version = found.model_version if found else None
        list_id = found.list_id if found else self.new_id()
        token = issue(
            self.token_secret,
            list_id=list_id,
            user_key=query.user_key,
            surface=query.surface,
            assignments=treatment.assignments,
            model_version=version or "",
            item_ids=[item.item_id for item in items],
            issued_at=now,
        )
        label = LABELS[source] if found is None or own is None else own.label(treatment.label)
        return Recommendations(
            token,
            label,
            items,
            source,
            version,
            treatment.assignments,
            list_id,
            now,
            looked_up.facts,
            experiments_known=definitions is not None,
            consent=looked_up.consent,
        )

    def _look_up(self, query: Query, definitions: Definitions, now: datetime) -> _LookedUp:
        """Read the profile, and every list that the treatment may ask for once the profile is known."""
        _check_forced(query, definitions)
        visitor = Visitor(query.user_key, query.session_id, query.facts)
        builds = definitions.builds(visitor, query.surface, now, any_facts=True, forced=query.forced)
        snapshot = self._read(query, builds, now.timestamp())
        standing = (snapshot.profile or Profile()).standing(self.consent_default)
        if not standing.personal:
            treatment = definitions.control(query.surface, forced=query.forced)
            return _LookedUp(treatment, None, query.facts, None, standing.consent)
        known = snapshot.profile.facts if snapshot.profile else NO_FACTS
        facts = Facts(*(asked or before for asked, before in zip(query.facts, known, strict=True)))
        visitor = Visitor(query.user_key, query.session_id, facts)
        treatment = definitions.treatment(visitor, query.surface, now, forced=query.forced)
        found = map(snapshot.lists.get, self._own_keys(query, treatment.build))
        # A list of before is of a profile that the user had forgotten; its erasure takes minutes.
        own = next((one for one in found if one and one.built_at >= standing.since), None)
        return _LookedUp(treatment, snapshot.profile, facts, own, standing.consent)

    def _read(self, query: Query, builds: Sequence[Build], now: float) -> Snapshot:
        segments = [keys.POPULAR, keys.TRENDING, *keys.segment_names(query.facts)]
        if self.shared.active is None:
            wanted = self.shared.wanted([], now)
            self.shared.take(self.store.read(wanted) if wanted else Snapshot(), wanted, now)
        wanted = self.shared.wanted(segments, now)
        own = dict.fromkeys(key for build in builds for key in self._own_keys(query, build))
        snapshot = self.store.read([keys.profile_key(query.user_key), *own, *wanted])
        self.shared.take(snapshot, wanted, now)
        return snapshot

    def _own_keys(self, query: Query, build: Build) -> list[Key]:
        """Where the list may be, best first: the model in service stands in for one that is not there."""
        if self.shared.active is None:
            return []
        version = self.shared.active.version
        builds = [build, replace(build, model=None)] if build.model else [build]
        return [
            keys.list_key(query.user_key, surface=query.surface, version=version, build=build)
            for build in builds
        ]

    def _pick(
        self, facts: Facts, own: RecommendationList | None, fresh: bool
    ) -> tuple[RecommendationList | None, Source]:
        if own is not None:
            return own, Source.LIST if fresh else Source.STALE_LIST
        rungs = (
            *((name, Source.SEGMENT) for name in keys.segment_names(facts)),
            (keys.TRENDING, Source.TRENDING),
            (keys.POPULAR, Source.POPULAR),
        )
        for name, source in rungs:
            found = self.shared.lists.setdefault(name, None)
            if found is not None and found.items:
                return found, source
        return None, Source.NONE

    def _ask_for_refresh(self, query: Query, build: Build) -> None:
        """Queue a refresh; when the queue is out of reach the answer matters more."""
        try:
            self.refreshes.send({RefreshRequest(query.user_key, (query.surface,), (build,)): 0})
        except Unavailable:
            return


def _is_fresh(own: RecommendationList, build: Build, revision: int) -> bool:
    return own.revision == revision and build.model in (None, own.model_version)


def _check_forced(query: Query, definitions: Definitions) -> None:
    for experiment, variant in map(msgspec.structs.astuple, query.forced):
        known = definitions.experiment(experiment)
        if known is None or variant not in {other.name for other in known.variants}:
            raise InvalidInput("invalid_parameter", f"variant: there is no {experiment}:{variant}")
