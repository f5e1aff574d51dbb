"""The read path: one database call, no model, always an answer, in time.

What changes rarely (`shared.SharedLists`) rides along in the same call when the copy kept here is old. When
the user's own records can't be read in time, what all users share stands in, and the answer says so: it names
no variants, neither does its receipt, and no experiment counts it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as dataclass_replace
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from personalization import keys
from personalization.builds import Build
from personalization.deadlines import Deadline, Guard
from personalization.errors import InvalidInput, Unavailable
from personalization.experiments import NO_EXPERIMENTS, Assignment, Definitions, Treatment, Visitor
from personalization.keys import Key
from personalization.lists import ListItem, RecommendationList, choose
from personalization.names import Consent, Degraded, Source
from personalization.ports import (
    DefinitionSource,
    ListStore,
    RefreshQueue,
    RefreshRequest,
    Snapshot,
)
from personalization.profiles import NO_FACTS, Facts, Profile
from personalization.shared import READ_SHARE, LastCopy, SharedLists, no_copy
from personalization.tokens import issue

ANSWER_SECONDS: Final = 0.8
"""How long an answer may take, unless the caller says otherwise."""
QUEUE_SHARE: Final = 0.25
"""Of what is left, to ask for a refresh: the answer is ready, and the next request would ask again."""
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
    recommendation_id
        None while the key that signs it can't be read.
    experiments_known
        False while no definitions could be read: everybody gets the defaults, and counts for nothing.
    degraded
        What stands in for the user's own records; None if they were read.
    consent
        What was in force: without `personalization` nothing but the request itself was looked at.
    """

    recommendation_id: str | None
    label: str
    items: list[ListItem]
    source: Source
    model_version: str | None
    assignments: tuple[Assignment, ...]
    list_id: str
    issued_at: datetime
    facts: Facts = NO_FACTS
    experiments_known: bool = True
    degraded: Degraded | None = None
    consent: Consent = Consent.PERSONALIZATION


@dataclass(frozen=True)
class Guards:
    """What stands between the read path and each service it asks; kept as long as the process."""

    table: Guard = field(default_factory=Guard)
    copy: Guard = field(default_factory=lambda: Guard(attempts=1))
    queue: Guard = field(default_factory=lambda: Guard(attempts=1))


@dataclass(frozen=True, slots=True)
class _LookedUp:
    """What a request needs to know of its user.

    Attributes
    ----------
    treatment
        None where a user gets what everybody would.
    own
        The user's list that the treatment asks for.
    """

    treatment: Treatment | None
    profile: Profile | None
    facts: Facts
    own: RecommendationList | None = None
    consent: Consent = Consent.FUNCTIONAL


@dataclass
class Recommender:
    """Answers requests for recommendations.

    Parameters
    ----------
    token_secret
        Signs receipts; None while it can't be read.
    defaults
        What is shown while no definitions can be read.
    last_copy
        What all users share, from where it outlives an outage of the store.
    consent_default
        In force for who never said anything.
    """

    store: ListStore
    refreshes: RefreshQueue
    definitions: DefinitionSource
    token_secret: bytes | None
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    defaults: Definitions = NO_EXPERIMENTS
    consent_default: Consent = Consent.PERSONALIZATION
    shared: SharedLists = field(default_factory=SharedLists)
    last_copy: LastCopy = no_copy
    guards: Guards = field(default_factory=Guards)

    def recommend(self, query: Query, deadline: Deadline | None = None) -> Recommendations:
        """Answer from the user's list, else from the ladder segment, trending, popular.

        One call to the store; a second one only in a process's first request, which doesn't know the
        model in service yet, or after one that failed at once. Queues a refresh when the list is missing or
        out of date. In an outage at most two calls to the store, and one for the last copy.
        """
        due = deadline or Deadline.after(ANSWER_SECONDS)
        now = self.clock()
        definitions = self.definitions.current()
        degraded = None
        try:
            looked_up = self._look_up(query, definitions or self.defaults, now, due.part(READ_SHARE))
        except Unavailable:
            looked_up = _LookedUp(None, None, query.facts)
            degraded = self.shared.stand_in(self.last_copy, self.guards.copy, due)
        own, treatment, profile = looked_up.own, looked_up.treatment, looked_up.profile
        revision = profile.revision if profile else 0
        fresh = own is not None and treatment is not None and _is_fresh(own, treatment.build, revision)
        if self.shared.active and revision and treatment is not None and not fresh:
            self._ask_for_refresh(query, treatment.build, due)
        found, source = self._pick(looked_up.facts, own, fresh)
        answer = self._answer(query, looked_up, found, source, now)
        return dataclass_replace(answer, experiments_known=definitions is not None, degraded=degraded)

    def recommend_to_anybody(self, query: Query, deadline: Deadline | None = None) -> Recommendations:
        """Answer from what all users share, for nobody knows whose answer it is: the keys can't be read."""
        due = deadline or Deadline.after(ANSWER_SECONDS)
        now = self.clock()
        degraded = Degraded.SHARED_LISTS
        try:
            self._read_shared(query.facts, now.timestamp(), due.part(READ_SHARE))
        except Unavailable:
            degraded = self.shared.stand_in(self.last_copy, self.guards.copy, due)
        found, source = self._pick(query.facts, None, fresh=False)
        answer = self._answer(query, _LookedUp(None, None, query.facts), found, source, now)
        return dataclass_replace(answer, recommendation_id=None, degraded=degraded)

    def _answer(
        self,
        query: Query,
        looked_up: _LookedUp,
        found: RecommendationList | None,
        source: Source,
        now: datetime,
    ) -> Recommendations:
        treatment = looked_up.treatment
        items = choose(
            found.items if found else (),
            limit=query.limit,
            profile=looked_up.profile,
            unavailable=self.shared.unavailable,
            exclude=query.exclude,
        )
        version = found.model_version if found else None
        list_id = found.list_id if found else self.new_id()
        assignments = treatment.assignments if treatment else ()
        token = self.token_secret and issue(
            self.token_secret,
            list_id=list_id,
            user_key=query.user_key,
            surface=query.surface,
            assignments=assignments,
            model_version=version or "",
            item_ids=[item.item_id for item in items],
            issued_at=now,
        )
        own = looked_up.own
        label = LABELS[source] if own is None or treatment is None else own.label(treatment.label)
        return Recommendations(
            token or None,
            label,
            items,
            source,
            version,
            assignments,
            list_id,
            now,
            looked_up.facts,
            consent=looked_up.consent,
        )

    def _look_up(
        self, query: Query, definitions: Definitions, now: datetime, deadline: Deadline
    ) -> _LookedUp:
        """Read the profile, and every list that the treatment may ask for once the profile is known."""
        _check_forced(query, definitions)
        visitor = Visitor(query.user_key, query.session_id, query.facts)
        builds = definitions.builds(visitor, query.surface, now, any_facts=True, forced=query.forced)
        snapshot = self._read_for(query, builds, now.timestamp(), deadline)
        standing = (snapshot.profile or Profile()).standing(self.consent_default)
        if not standing.personal:
            treatment = definitions.control(query.surface, forced=query.forced)
            return _LookedUp(treatment, None, query.facts, None, standing.consent)
        known = snapshot.profile.facts if snapshot.profile else NO_FACTS
        facts = Facts(*(asked or before for asked, before in zip(query.facts, known, strict=True)))
        visitor = Visitor(query.user_key, query.session_id, facts)
        treatment = definitions.treatment(visitor, query.surface, now, forced=query.forced)
        # A merged visitor's lists are not theirs alone any more, and a device may be shared.
        keys_of_own = () if snapshot.merged else self._own_keys(query, treatment.build)
        found = map(snapshot.lists.get, keys_of_own)
        # A list of before is of a profile that the user had forgotten; its erasure takes minutes.
        own = next((one for one in found if one and one.built_at >= standing.since), None)
        return _LookedUp(treatment, snapshot.profile, facts, own, standing.consent)

    def _read_for(self, query: Query, builds: Sequence[Build], now: float, deadline: Deadline) -> Snapshot:
        self._learn_model(now, deadline)
        own = dict.fromkeys(key for build in builds for key in self._own_keys(query, build))
        return self._read([keys.profile_key(query.user_key), *own], query.facts, now, deadline)

    def _read_shared(self, facts: Facts, now: float, deadline: Deadline) -> None:
        self._learn_model(now, deadline)
        self._read((), facts, now, deadline)

    def _learn_model(self, now: float, deadline: Deadline) -> None:
        wanted = self.shared.wanted([], now) if self.shared.active is None else []
        if wanted:
            self.shared.take(self._ask_table(wanted, deadline), wanted, now)

    def _read(self, own: Sequence[Key], facts: Facts, now: float, deadline: Deadline) -> Snapshot:
        """Read records, and along with them what is wanted of the shared ones."""
        segments = [keys.POPULAR, keys.TRENDING, *keys.segment_names(facts)]
        wanted = self.shared.wanted(segments, now)
        snapshot = self._ask_table([*own, *wanted], deadline)
        self.shared.take(snapshot, wanted, now)
        return snapshot

    def _ask_table(self, wanted: Sequence[Key], deadline: Deadline) -> Snapshot:
        if not wanted:
            return Snapshot()
        return self.guards.table.call(lambda: self.store.read(wanted), deadline.remaining)

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

    def _ask_for_refresh(self, query: Query, build: Build, deadline: Deadline) -> None:
        """Queue a refresh; when the queue is out of reach the answer matters more."""
        request = RefreshRequest(query.user_key, (query.surface,), (build,))
        with suppress(Unavailable):
            seconds = deadline.part(QUEUE_SHARE).remaining
            self.guards.queue.call(lambda: self.refreshes.send({request: 0}), seconds)


def _is_fresh(own: RecommendationList, build: Build, revision: int) -> bool:
    return own.revision == revision and build.model in (None, own.model_version)


def _check_forced(query: Query, definitions: Definitions) -> None:
    for experiment, variant in map(msgspec.structs.astuple, query.forced):
        known = definitions.experiment(experiment)
        if known is None or variant not in {other.name for other in known.variants}:
            raise InvalidInput("invalid_parameter", f"variant: there is no {experiment}:{variant}")
