"""Tables and charts as HTML and inline SVG that fit any width.

Positions are shares of the width, and text keeps its size, so that a phone shows as much as a desk.
Every text is escaped here; callers pass plain strings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #63636e; --line: #dcdce2; --paper: #fff }
:root { --strong: #3b5bdb; --faint: #bac8ff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8ed; --soft: #a0a0ab; --line: #3a3a42; --paper: #17171b }
  :root { --strong: #91a7ff; --faint: #364fc7 }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1, h2, h3 { line-height: 1.25 } h2 { margin-top: 2.5rem } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
.scroll { overflow-x: auto } .soft, figcaption { color: var(--soft); font-size: .875rem }
table { border-collapse: collapse; margin: 1rem 0; overflow-wrap: normal }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600; text-align: right; white-space: nowrap } th:first-child { text-align: left }
thead th { color: var(--soft); font-size: .875rem }
td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
dl { font-size: .875rem } dt { font-weight: 600 } dt .soft { font-weight: 400 } dd { margin: 0 0 .5rem }
figure { margin: 1rem 0 } svg { display: block; width: 100%; overflow: visible }
text { font: 13px system-ui, sans-serif; fill: var(--ink) } text.axis { fill: var(--soft) }
text.head { font-weight: 600 } .faint { fill: var(--faint) } .strong { fill: var(--strong) }
.grid { stroke: var(--line) } .whisker { stroke: var(--soft); stroke-width: 2 } .dot { fill: var(--soft) }
.whisker.strong { stroke: var(--strong) } .dot.strong { fill: var(--strong) }
polyline { fill: none; stroke: var(--strong); stroke-width: 2 }
@media (max-width: 40rem) {
  table { font-size: .875rem } th, td { padding: .35rem .4rem; white-space: normal }
}
article { border-top: 1px solid var(--line) } ol, ul { margin: .25rem 0; padding-left: 1.5rem }
"""

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A page may load and run nothing, whatever a title holds."""
ROW: Final = 24
"""Height of a chart's line, in pixels."""
LEFT, RIGHT = 42.0, 80.0
"""Where a chart's plot begins and ends, in percent; names stand before it, figures after."""


_PLANE_ROWS: Final = 8


@dataclass(frozen=True)
class Whisker:
    """A mean and its interval; `strong` ones stand out."""

    name: str
    mean: float
    low: float
    high: float
    strong: bool = False


@dataclass(frozen=True)
class Point:
    """A named place in a plane."""

    name: str
    x: float
    y: float


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table whose first column names its rows; a wide one scrolls by itself."""
    header = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{_cells(*row)}</tr>" for row in rows)
    return (
        f"<div class=scroll tabindex=0><table><thead><tr>{header}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(name: str, *figures: str) -> str:
    cells = "".join(f"<td>{escape(figure)}</td>" for figure in figures)
    return f"<th scope=row>{escape(name)}</th>{cells}"


def glossary(words: Mapping[str, str]) -> str:
    """Explain terms."""
    entries = (f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in words.items())
    return f"<dl>{''.join(entries)}</dl>"


def bars(
    values: Mapping[str, float],
    form: str,
    *,
    label: str,
    parts: Mapping[str, float] | None = None,
) -> str:
    """Draw a bar a value, none negative, its figure behind it in a form such as ``"{:.1%}"``.

    `parts`, by name, are the stronger beginnings of the bars; without them the bars are strong as a whole.
    """
    parts = values if parts is None else parts
    top = max(values.values(), default=0) or 1
    drawn = []
    for place, (name, value) in enumerate(values.items()):
        drawn.append(
            _text(0, place, name)
            + _bar(place, value / top, "faint")
            + _bar(place, parts.get(name, 0) / top, "strong")
            + _text(LEFT + (RIGHT - LEFT) * value / top, place, form.format(value), shift=6)
        )
    return _figure("".join(drawn), ROW * len(values), label)


def whiskers(groups: Mapping[str, Sequence[Whisker]], form: str, *, label: str) -> str:
    """Draw means with their intervals, from 0 to the highest end, a block of lines a group."""
    top = max((one.high for group in groups.values() for one in group), default=0) or 1
    drawn, line = [], 0
    for name, group in groups.items():
        drawn.append(_text(0, line, name, kind="head"))
        drawn += [_grid(line + 1, len(group))] if group else []
        drawn += [_whisker(line + place, one, top, form) for place, one in enumerate(group, 1)]
        line += len(group) + 1
    drawn += [_text(x, line, form.format(end), kind="axis") for x, end in ((LEFT, 0), (RIGHT, top))]
    return _figure("".join(drawn), ROW * (line + 1), label)


def curve(values: Sequence[float], form: str, *, label: str, unit: str) -> str:
    """Draw values over their places, with the range and the best one in words; nothing for no values."""
    if not values:
        return "<p class=soft>No values.</p>"
    low, high = min(values), max(values)
    step, scale = 1000 / max(len(values) - 1, 1), 96 / ((high - low) or 1)
    points = " ".join(f"{x * step:.1f},{98 - (value - low) * scale:.1f}" for x, value in enumerate(values))
    words = (
        f"{len(values)} {unit}: from {form.format(values[0])} to {form.format(values[-1])}; "
        f"lowest {form.format(low)}, highest {form.format(high)} at {values.index(high) + 1}."
    )
    return (
        f'<figure><svg role=img aria-label="{escape(label)}" height=160 viewBox="0 0 1000 100" '
        f'preserveAspectRatio=none><polyline vector-effect=non-scaling-stroke points="{points}"/></svg>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def plane(points: Sequence[Point], form: str, *, label: str, across: str, up: str) -> str:
    """Draw points, joined in their order, in a plane that they span, with what its ends stand for."""
    (left, right), (low, high) = _ends([one.x for one in points]), _ends([one.y for one in points])
    places = [
        (
            LEFT + (RIGHT - LEFT) * (one.x - left) / ((right - left) or 1),
            ROW * (_PLANE_ROWS - (_PLANE_ROWS - 1) * (one.y - low) / ((high - low) or 1)),
        )
        for one in points
    ]
    drawn = [
        f'<line class=grid x1="{LEFT}%" x2="{LEFT}%" y1={ROW} y2={ROW * _PLANE_ROWS} />'
        f'<line class=grid x1="{LEFT}%" x2="{RIGHT}%" y1={ROW * _PLANE_ROWS} y2={ROW * _PLANE_ROWS} />'
    ]
    drawn += [
        f'<line class="whisker strong" x1="{x:.2f}%" x2="{end_x:.2f}%" y1={y:.1f} y2={end_y:.1f} />'
        for (x, y), (end_x, end_y) in pairwise(places)
    ]
    drawn += [
        f'<circle class="dot strong" cx="{x:.2f}%" cy={y:.1f} r=5 />'
        f'<text x="{x:.2f}%" dx=8 dy=-8 y={y:.1f}>{escape(one.name)}</text>'
        for one, (x, y) in zip(points, places, strict=True)
    ]
    drawn += [
        _text(0, 0, f"{up} {form.format(high)}", kind="axis"),
        _text(0, _PLANE_ROWS - 1, f"{up} {form.format(low)}", kind="axis"),
        _text(LEFT, _PLANE_ROWS, f"{across} {form.format(left)}", kind="axis", shift=8),
        _text(RIGHT, _PLANE_ROWS, form.format(right), kind="axis", shift=8),
    ]
    return _figure("".join(drawn), ROW * (_PLANE_ROWS + 1), label)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values, default=0.0), max(values, default=0.0)


def _figure(drawn: str, height: int, label: str) -> str:
    return f'<figure><svg role=img aria-label="{escape(label)}" height={height}>{drawn}</svg></figure>'


def _text(x: float, line: int, text: str, *, kind: str = "", shift: int = 0) -> str:
    """A text at x percent and `shift` pixels."""
    return f'<text class="{kind}" x="{x:.2f}%" dx={shift} y={ROW * line + 16}>{escape(text)}</text>'


def _bar(line: int, share: float, kind: str) -> str:
    width = (RIGHT - LEFT) * share
    return f'<rect class={kind} x="{LEFT}%" y={ROW * line + 4} width="{width:.2f}%" height=16 />'


def _grid(start: int, lines: int) -> str:
    ends = (f'x1="{x}%" x2="{x}%" y1={ROW * start} y2={ROW * (start + lines)}' for x in (LEFT, RIGHT))
    return "".join(f"<line class=grid {end} />" for end in ends)


def _whisker(line: int, one: Whisker, top: float, form: str) -> str:
    low, mean, high = (LEFT + (RIGHT - LEFT) * value / top for value in (one.low, one.mean, one.high))
    kind, y = "strong" if one.strong else "", ROW * line + 12
    interval = f"{one.name}: {form.format(one.mean)}, {form.format(one.low)} to {form.format(one.high)}"
    return (
        f"<g><title>{escape(interval)}</title>{_text(0, line, one.name)}"
        f'<line class="whisker {kind}" x1="{low:.2f}%" x2="{high:.2f}%" y1={y} y2={y} />'
        f'<circle class="dot {kind}" cx="{mean:.2f}%" cy={y} r=5 />'
        f"{_text(RIGHT, line, form.format(one.mean), shift=8)}</g>"
    )
