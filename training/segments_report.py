"""The segments as a section of the report: who they are, and a picture of how far they lie apart."""

from html import escape
from typing import Final

from training.charts import table
from training.segments import Segments

HEIGHT: Final = 320
"""Of the picture, in pixels; across, places are shares of the width."""
COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c8c8c", "#b8a800")
"""Told apart by colour-blind eyes too, after Okabe and Ito (2008); one for each of at most eight segments."""


def segments_section(segments: Segments) -> str:
    """Lay out personas, picture and quality as HTML; strings of the data are only ever text in it."""
    parts = [_note(segments), _personas(segments)]
    if segments.points:
        parts += [_picture(segments), _quality(segments)]
    return "".join(parts)


def _note(segments: Segments) -> str:
    words = segments.note or (
        f"{segments.users:,} users with an act, in {len(segments.segments)} segments by K-means on what "
        "their profiles say: how often and how lately they came, what they did, at what price, in which "
        "hours (UTC), and in which categories."
    )
    return f"<p class=soft>{escape(words)}</p>"


def _personas(segments: Segments) -> str:
    entries = "".join(
        f"<dt>{_dot(number)} <bdi>{escape(one.name)}</bdi> "
        f"<span class=soft>{one.share:.1%}, users: {one.users:,}</span></dt>"
        f"<dd><bdi>{escape(one.description)}</bdi></dd>"
        for number, one in enumerate(segments.segments)
    )
    return f"<dl>{entries}</dl>"


def _dot(segment: int) -> str:
    colour = COLOURS[segment % len(COLOURS)]
    return (
        '<svg aria-hidden=true style="display:inline-block;width:12px" width=12 height=12>'
        f'<circle cx=6 cy=6 r=5 fill="{colour}" /></svg>'
    )


def _picture(segments: Segments) -> str:
    across = _scale([point.x for point in segments.points], 1, 99)
    up = _scale([point.y for point in segments.points], HEIGHT - 6, 6)
    circles = "".join(
        f'<circle cx="{x:.2f}%" cy="{y:.1f}" r=4 fill="{COLOURS[point.segment % len(COLOURS)]}" />'
        for x, y, point in zip(across, up, segments.points, strict=True)
    )
    (first, second), (across_most, up_most) = segments.explained, segments.axes
    words = (
        f"{len(segments.points)} users on the two axes of most variance. To the right, with {first:.0%} of "
        f"it, above all {across_most}; upwards, with {second:.0%}, above all {up_most}."
    )
    return (
        f'<figure><svg role=img aria-label="users by segment on two axes" height={HEIGHT} fill-opacity=".7">'
        f"{circles}</svg><figcaption>{escape(words)}</figcaption></figure>"
    )


def _scale(values: list[float], start: float, end: float) -> list[float]:
    """Map the least value to `start` and the greatest to `end`; equal ones to the middle."""
    low, high = min(values), max(values)
    if high == low:
        return [(start + end) / 2] * len(values)
    return [start + (value - low) / (high - low) * (end - start) for value in values]


def _quality(segments: Segments) -> str:
    rows = [
        [_count(count, segments), _figure(segments.silhouette.get(count)), _figure(segments.ward.get(count))]
        for count in sorted({*segments.silhouette, *segments.ward})
    ]
    agreement = "" if segments.agreement is None else f"{segments.agreement:.2f}"
    words = (
        "Mean silhouette on a sample, from -1 to 1: how much closer users are to their own segment than to "
        "the next. The greatest of K-means decides how many segments there are; near 0, they are slices of "
        f"one crowd. Agreement of both methods (adjusted Rand index): {agreement}."
    )
    return table(["", "K-means", "Ward"], rows) + f"<p class=soft>{escape(words)}</p>"


def _count(count: int, segments: Segments) -> str:
    return f"{count} segments" + (", chosen" if count == len(segments.segments) else "")


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
