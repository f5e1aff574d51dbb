"""What operators see of one user: what each variant would show them, and what is known of them.

Every list is what the read path itself would answer. Looking counts as nothing: no exposure is written, no
refresh is queued, and the receipts that answers come with are thrown away.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from personalization import keys
from personalization.builds import Build
from personalization.deadlines import NEVER
from personalization.errors import Unavailable
from personalization.events import EventType, Item
from personalization.experiments import Assignment, Definitions, Experiment, Variant, Visitor
from personalization.lists import ListItem
from personalization.names import Consent, Source
from personalization.ports import ListStore, RefreshRequest
from personalization.profiles import KINDS, Profile, Touch, latest
from personalization.serving import Query, Recommendations, Recommender
from personalization.shared import SharedLists

RECENT: Final = 20
"""Acts that are shown; of those the share of each category is taken, too."""
_IN_TENTHS: Final = frozenset({EventType.RATING, EventType.DWELL})
_WORTHLESS: Final = b"signs receipts that nobody gets"


class Shown(Struct, frozen=True, kw_only=True):
    """What one variant would show.

    Attributes
    ----------
    experiment
        None on a surface without one.
    served
        The user gets this variant.
    changes
        How its lists are built: the ranker, and what differs from the usual way, by name.
    """

    experiment: str | None
    variant: str
    weight: float
    changes: dict[str, Any]
    served: bool
    label: str
    source: Source
    model_version: str | None
    items: tuple[ListItem, ...]


class Act(Struct, frozen=True, kw_only=True):
    """The latest act on one item.

    Attributes
    ----------
    title, category
        None for an item that the catalogue doesn't know.
    value
        Of a rating, or seconds of a dwell.
    """

    item_id: str
    title: str | None
    category: str | None
    kind: EventType
    at: datetime
    value: float | None


class ProfileSummary(Struct, frozen=True, kw_only=True):
    """What is known of a user, in short.

    Attributes
    ----------
    counts
        Events by type, but for types that never happened.
    categories
        Share of each category among the recent acts, the largest first.
    """

    first_at: datetime
    last_at: datetime
    revision: int
    counts: dict[EventType, int]
    spent: float
    recent: tuple[Act, ...]
    categories: tuple[tuple[str, float], ...]
    disliked: tuple[str, ...]
    attributes: dict[str, str]
    surfaces: tuple[str, ...]
    consent: str | None


class Inspection(Struct, frozen=True, kw_only=True):
    """One user on one surface.

    Attributes
    ----------
    user_key
        The pseudonym, under which logs and lake know the user.
    profile
        None of a user who is not known.
    """

    user_key: str
    surface: str
    as_of: datetime
    assignments: tuple[Assignment, ...]
    variants: tuple[Shown, ...]
    profile: ProfileSummary | None


@dataclass(frozen=True)
class _Fixed:
    """Definitions that are at hand."""

    definitions: Definitions

    def current(self) -> Definitions:
        """Return them."""
        return self.definitions


class _NoRefreshes:
    """Takes the place of the queue: to look at a list does not have it rebuilt."""

    def send(self, requests: Mapping[RefreshRequest, int]) -> None:
        """Forget the requests."""


@dataclass
class Inspector:
    """Looks at users.

    Attributes
    ----------
    catalogue
        Reads items by id.
    consent_default
        In force for who never said anything.
    """

    store: ListStore
    catalogue: Callable[[Sequence[str]], Mapping[str, Item]]
    consent_default: Consent = Consent.PERSONALIZATION
    shared: SharedLists = field(default_factory=SharedLists)

    def inspect(self, query: Query, definitions: Definitions, now: datetime) -> Inspection:
        """Look at one user. Cost: a call to the table, another for each variant, and two for the profile."""
        answer = self._answer(query, definitions, now)
        variants = []
        for experiment in definitions.experiments:
            for variant in experiment.variants if experiment.surface == query.surface else ():
                served = _is_served(experiment, variant, answer.assignments)
                forced = replace(query, forced=(Assignment(experiment.name, variant.name),))
                shown = answer if served else self._answer(forced, definitions, now)
                build = _build(forced, definitions, now)
                variants.append(_shown(shown, build, served=served, arm=(experiment.name, variant)))
        default = _shown(answer, _build(query, definitions, now), served=True)
        profile = self.store.read([keys.profile_key(query.user_key)]).profile
        return Inspection(
            user_key=query.user_key,
            surface=query.surface,
            as_of=now,
            assignments=answer.assignments,
            variants=tuple(variants) or (default,),
            profile=summarize(profile, self.catalogue) if profile else None,
        )

    def _answer(self, query: Query, definitions: Definitions, now: datetime) -> Recommendations:
        recommender = Recommender(
            store=self.store,
            refreshes=_NoRefreshes(),
            definitions=_Fixed(definitions),
            token_secret=_WORTHLESS,
            clock=lambda: now,
            new_id=lambda: "",
            consent_default=self.consent_default,
            shared=self.shared,
        )
        answer = recommender.recommend(query, NEVER)
        if answer.degraded:
            # An operator asks what users get, not what stands in for it.
            raise Unavailable("the table can't be read")
        return answer


def _is_served(experiment: Experiment, variant: Variant, assignments: Sequence[Assignment]) -> bool:
    """Whether the user gets this variant: whoever takes no part gets the control."""
    if experiment.name not in {assignment.experiment for assignment in assignments}:
        return variant is experiment.variants[0]
    return Assignment(experiment.name, variant.name) in assignments


def _build(query: Query, definitions: Definitions, now: datetime) -> Build:
    visitor = Visitor(query.user_key, query.session_id, query.facts)
    return definitions.treatment(visitor, query.surface, now, forced=query.forced).build


def _shown(
    answer: Recommendations,
    build: Build,
    *,
    served: bool,
    arm: tuple[str, Variant] | None = None,
) -> Shown:
    return Shown(
        experiment=arm[0] if arm else None,
        variant=arm[1].name if arm else "default",
        weight=arm[1].weight if arm else 1.0,
        changes={"ranker": build.ranker} | msgspec.to_builtins(build),
        served=served,
        label=answer.label,
        source=answer.source,
        model_version=answer.model_version,
        items=tuple(answer.items),
    )


def summarize(
    profile: Profile, catalogue: Callable[[Sequence[str]], Mapping[str, Item]]
) -> ProfileSummary | None:
    """Sum up a profile; None for an empty one. Cost: one read of at most `RECENT` items."""
    if not profile.last_at:
        return None
    known = latest(profile)
    touched = list(known.recent.items())[:RECENT]
    items = catalogue([item_id for item_id, _ in touched])
    recent = tuple(_act(item_id, touch, items.get(item_id)) for item_id, touch in touched)
    return ProfileSummary(
        first_at=_moment(known.first_at),
        last_at=_moment(known.last_at),
        revision=known.revision,
        counts={kind: count for kind, count in zip(KINDS, known.totals, strict=True) if count},
        spent=known.spent_cents / 100,
        recent=recent,
        categories=_shares(recent),
        disliked=tuple(known.disliked),
        attributes={name: value for name, (_, value) in known.attributes.items()},
        surfaces=tuple(known.surfaces),
        consent=known.consent[1] if known.consent else None,
    )


def _act(item_id: str, touch: Touch, item: Item | None) -> Act:
    at, code, tenths = touch
    return Act(
        item_id=item_id,
        title=item.title if item else None,
        category=item.category if item else None,
        kind=KINDS[code],
        at=_moment(at),
        value=tenths / 10 if KINDS[code] in _IN_TENTHS else None,
    )


def _shares(recent: Sequence[Act]) -> tuple[tuple[str, float], ...]:
    counted = Counter(act.category for act in recent if act.category)
    ordered = sorted(counted.items(), key=lambda row: (-row[1], row[0]))
    return tuple((category, count / counted.total()) for category, count in ordered)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
