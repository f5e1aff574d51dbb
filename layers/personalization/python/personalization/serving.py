"""The read path: one database call, no model, always an answer.

What changes rarely (the model in service, shared lists, unavailable items) rides along in the same
call when the copy kept here is older than `CACHE_SECONDS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from personalization import keys
from personalization.errors import Unavailable
from personalization.experiments import Assignment, Definitions, Variant
from personalization.keys import Key
from personalization.lists import ListItem, RecommendationList, choose
from personalization.names import Source
from personalization.ports import (
    ActiveModel,
    ListStore,
    RefreshQueue,
    RefreshRequest,
    Snapshot,
)
from personalization.profiles import NO_FACTS, Facts
from personalization.tokens import issue

CACHE_SECONDS: Final = 10.0
MAX_CACHED_SEGMENTS: Final = 80
LABELS: Final = {
    Source.SEGMENT: "Popular right now",
    Source.TRENDING: "Trending now",
    Source.POPULAR: "Popular",
    Source.NONE: "",
}
"""What a fallback list is called: a variant's label promises more than it holds."""


@dataclass(frozen=True, slots=True)
class Query:
    """A request for recommendations, checked."""

    user_key: str
    surface: str
    limit: int
    exclude: frozenset[str] = frozenset()
    facts: Facts = NO_FACTS


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The answer: items in order, where they came from, and what they count for."""

    recommendation_id: str
    label: str
    items: list[ListItem]
    source: Source
    model_version: str | None
    assignments: tuple[Assignment, ...]
    list_id: str
    issued_at: datetime


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


@dataclass
class Recommender:
    """Answers requests for recommendations."""

    store: ListStore
    refreshes: RefreshQueue
    definitions: Definitions
    token_secret: bytes
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    shared: SharedLists = field(default_factory=SharedLists)

    def recommend(self, query: Query) -> Recommendations:
        """Answer from the user's list, else from the ladder segment, trending, popular.

        One call to the store; a second one only in a process's first request, which doesn't know the
        model in service yet. Queues a refresh when the list is missing or out of date.
        """
        now = self.clock()
        treatment = self.definitions.treatment(query.user_key, query.surface)
        snapshot, own_key = self._read(query, treatment.variant, now.timestamp())
        own = snapshot.lists.get(own_key) if own_key else None
        profile = snapshot.profile
        revision = profile.revision if profile else 0
        fresh = own is not None and own.revision == revision
        if self.shared.active and revision and not fresh:
            self._ask_for_refresh(query)
        found, source = self._pick(query, snapshot, own, fresh)
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
        label = LABELS.get(source, treatment.variant.label)
        return Recommendations(token, label, items, source, version, treatment.assignments, list_id, now)

    def _read(self, query: Query, variant: Variant, now: float) -> tuple[Snapshot, Key | None]:
        segments = [keys.POPULAR, keys.TRENDING, *keys.segment_names(query.facts)]
        if self.shared.active is None:
            wanted = self.shared.wanted([], now)
            self.shared.take(self.store.read(wanted) if wanted else Snapshot(), wanted, now)
        wanted = self.shared.wanted(segments, now)
        own_key = None
        if self.shared.active:
            own_key = keys.list_key(
                query.user_key,
                surface=query.surface,
                ranker=variant.ranker,
                policy=variant.policy,
                version=self.shared.active.version,
            )
        personal = [keys.profile_key(query.user_key), *([own_key] if own_key else [])]
        snapshot = self.store.read([*personal, *wanted])
        self.shared.take(snapshot, wanted, now)
        return snapshot, own_key

    def _pick(
        self, query: Query, snapshot: Snapshot, own: RecommendationList | None, fresh: bool
    ) -> tuple[RecommendationList | None, Source]:
        if own is not None:
            return own, Source.LIST if fresh else Source.STALE_LIST
        known = snapshot.profile.facts if snapshot.profile else NO_FACTS
        facts = Facts(*(asked or before for asked, before in zip(query.facts, known, strict=True)))
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

    def _ask_for_refresh(self, query: Query) -> None:
        """Queue a refresh; when the queue is out of reach the answer matters more."""
        try:
            self.refreshes.send({RefreshRequest(query.user_key, (query.surface,)): 0})
        except Unavailable:
            return
