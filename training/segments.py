"""Behavioural segments of a shop's users: K-means on what their profiles say, each with a plain name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from personalization.profiles import Facts
from training import anonymity
from training.behaviour import Behaviour, Observed
from training.clustering import Choice, assign, choose, principal_axes
from training.metrics import Doubles, Ints
from training.personas import personas, words

FEWEST_USERS: Final = 50
"""Below this, clusters would be about single users."""
COUNTS: Final = range(2, 9)
"""Numbers of segments that are tried; few enough to be read by people."""
FITTED_USERS: Final = 5_000
"""Centroids are fitted to a sample of at most so many; everybody is assigned to them."""
JUDGED_USERS: Final = 2_000
"""Silhouette and Ward's hierarchy are quadratic: a sample of this size takes 32 MB."""
PICTURED_USERS: Final = 500
SMALLEST_SHARE: Final = 0.02
"""A segment of fewer users, in number (`anonymity.FEWEST_USERS`) or share, would be a portrait."""
EVERYBODY: Final = "everybody"


class Segment(msgspec.Struct, frozen=True):
    """Some users who behave alike.

    Attributes
    ----------
    traits
        Feature -> mean of the segment in standard deviations from the mean of all users.
    """

    name: str
    description: str
    users: int
    share: float
    traits: dict[str, float]


class Point(msgspec.Struct, frozen=True):
    """A user, nameless, on the two axes of most variance."""

    x: float
    y: float
    segment: int


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """The segments, the largest first, and how well they are told apart.

    Attributes
    ----------
    users
        Users with an act; only they have a segment.
    note
        Why there is but one segment; empty if there are several.
    silhouette, ward
        Number of segments -> mean silhouette on a sample, of K-means and of Ward's hierarchy.
    agreement
        Adjusted Rand index of both, with the chosen number of segments.
    points
        At most `PICTURED_USERS`.
    explained
        Shares of the variance that the axes of `points` hold.
    axes
        What rises most along each, in words.
    """

    users: int
    segments: tuple[Segment, ...]
    note: str = ""
    silhouette: dict[int, float] = {}
    ward: dict[int, float] = {}
    agreement: float | None = None
    points: tuple[Point, ...] = ()
    explained: tuple[float, float] = (0.0, 0.0)
    axes: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Segmentation:
    """Who is in which segment.

    Attributes
    ----------
    summary
        What can be published.
    segment
        (users,), place in `summary.segments`; -1 for users without acts, or left out.
    facts
        What is known of each user from their requests.
    """

    summary: Segments
    segment: Ints
    facts: Sequence[Facts]


def segment_users(
    observed: Observed, *, among: npt.NDArray[np.bool_] | None = None, seed: int = 1
) -> Segmentation:
    """Find the segments of users, or of those of a mask (users,). Equal input and seed give equal segments.

    Cost linear in users, 0.5 s per 100,000, beside 2.5 s for samples of fixed size.
    """
    behaviour = observed.compare(among)
    everybody = np.full(len(observed.facts), -1, dtype=np.int64)
    if len(behaviour.users) < FEWEST_USERS:
        note = f"One segment: fewer than {FEWEST_USERS} users with an act."
    elif not behaviour.names:
        note = "One segment: all users behave alike."
    else:
        chance = np.random.default_rng(seed)
        order = chance.permutation(len(behaviour.users))
        rows = behaviour.weighted
        fitted, judged = rows[order[:FITTED_USERS]], rows[order[:JUDGED_USERS]]
        least = max(anonymity.FEWEST_USERS, round(SMALLEST_SHARE * len(fitted)))
        found = choose(fitted, judged, COUNTS, seed=seed, least=least)
        if found is not None:
            label = _largest_first(assign(rows, found.centroids), found.count)
            everybody[behaviour.users] = label
            summary = _summary(behaviour, rows, label, found, order)
            return Segmentation(summary, everybody, observed.facts)
        note = "One segment: too few users behave unlike each other."
    everybody[behaviour.users] = 0
    return Segmentation(_one(len(behaviour.users), note), everybody, observed.facts)


def _largest_first(label: Ints, count: int) -> Ints:
    order = np.argsort(-np.bincount(label, minlength=count), kind="stable")
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    return place[label]


def _one(users: int, note: str) -> Segments:
    whole = Segment(EVERYBODY, "All users with an act.", users, 1.0, {})
    return Segments(users=users, segments=(whole,), note=note)


def _summary(behaviour: Behaviour, rows: Doubles, label: Ints, found: Choice, order: Ints) -> Segments:
    sizes = np.bincount(label, minlength=found.count)
    means = np.array([behaviour.values[label == segment].mean(axis=0) for segment in range(found.count)])
    named = personas(behaviour.names, means)
    sample = rows[order[:JUDGED_USERS]]
    axes, explained = principal_axes(sample, 2)
    pictured = order[:PICTURED_USERS]
    places = (rows[pictured] - sample.mean(axis=0)) @ axes
    return Segments(
        users=len(label),
        segments=tuple(
            Segment(name, text, size, _rounded(size / len(label)), _traits(behaviour.names, mean))
            for (name, text), size, mean in zip(named, sizes.tolist(), means, strict=True)
        ),
        silhouette={count: _rounded(value) for count, value in found.silhouette.items()},
        ward={count: _rounded(value) for count, value in found.ward.items()},
        agreement=_rounded(found.agreement),
        points=tuple(
            Point(_rounded(x), _rounded(y), segment)
            for (x, y), segment in zip(places.tolist(), label[pictured].tolist(), strict=True)
        ),
        explained=(_rounded(explained[0]), _rounded(explained[1])),
        axes=(_heaviest(behaviour.names, axes[:, 0]), _heaviest(behaviour.names, axes[:, 1])),
    )


def _heaviest(names: Sequence[str], axis: Doubles) -> str:
    return words(names[int(axis.argmax())], 1.0)


def _traits(names: Sequence[str], mean: Doubles) -> dict[str, float]:
    return {name: _rounded(value) for name, value in zip(names, mean.tolist(), strict=True)}


def _rounded(value: float) -> float:
    return round(float(value), 4)
