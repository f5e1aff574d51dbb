"""Results of experiments for people: words, tables, and HTML with inline SVG that loads and runs nothing.

The terminal, the dashboard's widget and the console say the same, since all of it is made here. Colours stand
beside words and dashes, never alone, and follow the surrounding text where a style is stripped.
Cost: linear in variants, metrics and looks. Every text is escaped.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Final, NamedTuple

from personalization.experiment_results import Comparison, Decision, ExperimentResults, Look, Role

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A page may load and run nothing, whatever an experiment is called."""
HEADINGS: Final = {
    Decision.SHIP: "Ship",
    Decision.KEEP_RUNNING: "Keep running",
    Decision.STOP_HARMFUL: "Stop: harmful",
    Decision.STOP_FUTILE: "Stop: no difference found",
    Decision.BROKEN: "Broken: do not read the figures",
}
STYLE: Final = """
.attune { --ink: #1b1b1f; --soft: #5a5a66; --line: #d5d5dc; --a: #2f4fc4; --b: #8a4b00; --c: #00695c }
@media (prefers-color-scheme: dark) {
  .attune { --ink: #ececf1; --soft: #b0b0bb; --line: #45454f; --a: #9db2ff; --b: #ffb869; --c: #6fd8c8 }
}
.attune { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); overflow-wrap: anywhere }
.attune h2 { margin: 0 0 .25rem; font-size: 1.25rem } .attune h3 { margin: 1.25rem 0 .25rem; font-size: 1rem }
.attune p { margin: .25rem 0 } .attune .soft { color: var(--soft); font-size: .875rem }
.attune .verdict { border-left: .3rem solid var(--a); padding-left: .75rem }
.attune .verdict.bad { border-color: #c92a2a } .attune .scroll { overflow-x: auto }
.attune table { border-collapse: collapse } .attune caption { text-align: left; color: var(--soft) }
.attune th, .attune td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right }
.attune th, .attune td { white-space: nowrap; font-variant-numeric: tabular-nums }
.attune th:first-child { text-align: left }
.attune svg { display: block; width: 100%; max-width: 44rem; height: auto }
.attune svg text { fill: var(--ink) }
.attune .v0 { color: var(--a) } .attune .v1 { color: var(--b) } .attune .v2 { color: var(--c) }
"""
_PAGE_STYLE: Final = """
:root { color-scheme: light dark; background: #fff }
@media (prefers-color-scheme: dark) { :root { background: #17171b } }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
section + section { margin-top: 3rem }
"""
_COLOURS: Final = ("v0", "v1", "v2")
_DASHES: Final = ("none", "7 4", "2 3")
_UNKNOWN: Final = "-"
_DAYS_TO_TELL: Final = 3_650
_USERS_TO_TELL: Final = 1_000_000_000


class Sheet(NamedTuple):
    """A table: its title, the head, and rows whose first cell names them; what matters most stands first."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def heading(results: ExperimentResults) -> str:
    """Say what to do, in a word or two."""
    return HEADINGS[results.decision]


def variant_sheet(results: ExperimentResults) -> Sheet:
    """What each variant's users saw and did; the control comes first."""
    head = ("variant", "users", "impressions", "clicks", "CTR", "95% interval", "conversions")
    rows = tuple(
        (
            one.name,
            f"{one.users:,}",
            f"{one.impressions:,}",
            f"{one.clicks:,}",
            _share(one.ctr),
            _interval(one.ctr_interval, "{:.2%}"),
            f"{one.conversions:,}",
            f"{one.revenue:,.2f}",
            f"{one.dwell_seconds / 3_600:,.1f}",
            f"{one.weight:.0%}",
        )
        for one in results.variants
    )
    return Sheet("What users saw and did", (*head, "revenue", "dwell, hours", "share"), rows)


def comparison_sheet(results: ExperimentResults) -> Sheet:
    """Every metric of every variant against the control: goals, then guardrails, then the rest."""
    head = ("variant: metric", "says", "lift", "95%, over all looks", "p, over all looks", "control")
    order = {role: place for place, role in enumerate(Role)}
    rows = tuple(
        (
            f"{variant.name}: {one.metric}",
            _standing(one),
            _lift(one.lift),
            _interval(one.always_valid, "{:+.1%}"),
            _p_value(one.always_valid_p_value),
            _figure(one.control),
            _figure(one.value),
            _interval(one.interval, "{:+.1%}"),
            _p_value(one.p_value if one.adjusted_p_value is None else one.adjusted_p_value),
            _share(one.margin),
        )
        for variant in results.variants
        for one in sorted(variant.comparisons, key=lambda one: order[one.role])
    )
    return Sheet("Against the control", (*head, "variant", "95%, this look", "p, adjusted", "margin"), rows)


def sample_ratio_line(results: ExperimentResults) -> str:
    """Say whether the users were split as configured."""
    ratio = results.sample_ratio
    if ratio is None:
        return "Split of users: nobody was exposed yet."
    shares = [observed / (sum(ratio.observed) or 1) for observed in ratio.observed]
    names = [variant.name for variant in results.variants]
    split = ", ".join(
        f"{name} {share:.2%} of {expected:.2%}"
        for name, share, expected in zip(names, shares, ratio.expected, strict=False)
    )
    says = "NOT as configured (sample ratio mismatch)" if ratio.mismatch else "as configured"
    figures = f"p over all looks {_p_value(ratio.always_valid_p_value)}, this look {_p_value(ratio.p_value)}"
    return f"Split of users {says}: {split}; {figures}."


def plan_line(results: ExperimentResults) -> str:
    """Say how long it takes to see what is looked for."""
    plan = results.plan
    if plan is None:
        return "Plan: none yet."
    users = f"{plan.users_needed:,}" if plan.users_needed <= _USERS_TO_TELL else "more than a billion"
    wanted = f"{users} users a variant show a lift of {plan.effect:.1%} with power {plan.power:.0%}"
    if plan.days_left is None:
        return f"Plan: {wanted}; there is no traffic to tell the days by."
    if plan.days_left <= 0:
        return f"Plan: {wanted}; they are there."
    days = f"about {plan.days_left:,.0f} days" if plan.days_left <= _DAYS_TO_TELL else "more than ten years"
    return f"Plan: {wanted}; {days} left at the traffic of the last days."


def left_out_line(results: ExperimentResults) -> str:
    """Say who is counted, and who is not."""
    began = (
        "nobody exposed yet" if results.started_at is None else f"first exposure {_when(results.started_at)}"
    )
    out = f"{results.crossed_over:,} users seen in two variants are left out"
    return (
        f"{results.users:,} users on surface {results.surface}; {began}; {out}; as of {_when(results.as_of)}."
    )


def fragment(results: ExperimentResults) -> str:
    """Draw one experiment as a section, to be put into a page, a widget or a console; it needs `STYLE`."""
    bad = results.decision in (Decision.STOP_HARMFUL, Decision.BROKEN)
    parts = [
        f'<section class="attune"><h2>{escape(results.experiment)}</h2>',
        f'<div class="verdict{" bad" if bad else ""}"><p><strong>{escape(heading(results))}</strong></p>',
        f"<p>{escape(results.verdict)}</p></div>",
        f'<p class="soft">{escape(left_out_line(results))}</p>',
        _table(variant_sheet(results)),
        _table(comparison_sheet(results)),
        f"<p>{escape(sample_ratio_line(results))}</p><p>{escape(plan_line(results))}</p>",
        "<h3>Lift of the goal over time</h3>",
        lift_chart(results),
        "</section>",
    ]
    return "".join(parts)


def page(experiments: Iterable[ExperimentResults], *, title: str = "Experiments") -> bytes:
    """Draw experiments as one self-contained HTML page in UTF-8."""
    sections = "".join(map(fragment, experiments)) or '<p class="attune">No experiment was analyzed yet.</p>'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{_PAGE_STYLE}</style></head>"
        f"<body><main>{sections}</main></body></html>\n"
    ).encode()


WIDTH, HEIGHT = 640, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 500, 14, 196


def lift_chart(results: ExperimentResults) -> str:
    """Draw each variant's lift at every look, with the interval that holds over all looks, as SVG."""
    known = [look for look in results.looks if look.lift is not None]
    if not known:
        return '<p class="soft">No lift to draw yet.</p>'
    plane = _Plane.of(known)
    names = list(dict.fromkeys(look.variant for look in known))
    drawn = [plane.axes()]
    for place, name in enumerate(names):
        drawn.append(plane.series([look for look in known if look.variant == name], place))
    last = "; ".join(
        f"{look.variant} {_lift(look.lift)}, {_interval(look.always_valid, '{:+.1%}')}"
        for look in {look.variant: look for look in known}.values()
    )
    label = f"Lift of the goal over the control by time. Last look: {last}."
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(drawn)}</svg>'
        f'<p class="soft">{escape(label)} Bands are 95% intervals that hold over all looks together; '
        "what passes the frame is cut.</p>"
    )


def text_chart(results: ExperimentResults, *, width: int = 41) -> list[str]:
    """Draw the looks as lines of text, oldest first: `[` and `]` end the interval, `o` is the lift, `|` is 0.

    What passes the frame ends in `<` or `>`.
    """
    known = [look for look in results.looks if look.lift is not None]
    if not known:
        return ["no lift to draw yet"]
    low, high = _span(known)
    name_width = max(len(look.variant) for look in known)

    def column(value: float) -> int:
        return round((min(max(value, low), high) - low) / (high - low) * (width - 1))

    lines = []
    for look in known:
        cells = [" "] * width
        if look.always_valid is not None:
            start, end = look.always_valid
            cells[column(start) : column(end) + 1] = "-" * (column(end) - column(start) + 1)
            cells[column(start)] = "<" if start < low else "["
            cells[column(end)] = ">" if end > high else "]"
        cells[column(0.0)] = "|"
        cells[column(look.lift or 0.0)] = "o"
        lines.append(
            f"{look.at:%Y-%m-%d}  {look.variant:<{name_width}}  {''.join(cells)}  {_lift(look.lift):>8}"
        )
    left, right = (_lift(end) if end else "0%" for end in (low, high))
    ends = left.ljust(width - len(right)) + right
    return [*lines, " " * (14 + name_width) + ends]


def _span(looks: Sequence[Look]) -> tuple[float, float]:
    """Return the lifts to show: 0, all lifts, and the last intervals with half as much around them."""
    values = [0.0, *(look.lift or 0.0 for look in looks)]
    for look in {look.variant: look for look in looks}.values():
        if look.always_valid is not None:
            low, high = look.always_valid
            room = (high - low) / 4
            values += [low - room, high + room]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.01, high + 0.01)


class _Plane(NamedTuple):
    """Time across, lift upwards."""

    first: datetime
    last: datetime
    low: float
    high: float

    @classmethod
    def of(cls, looks: Sequence[Look]) -> "_Plane":
        low, high = _span(looks)
        return cls(min(look.at for look in looks), max(look.at for look in looks), low, high)

    def x(self, at: datetime) -> float:
        seconds = (self.last - self.first).total_seconds()
        share = (at - self.first).total_seconds() / seconds if seconds else 0.5
        return round(_LEFT + (_RIGHT - _LEFT) * share, 1)

    def y(self, lift: float) -> float:
        within = min(max(lift, self.low), self.high)
        return round(_BOTTOM - (_BOTTOM - _TOP) * (within - self.low) / (self.high - self.low), 1)

    def axes(self) -> str:
        heights = "".join(
            f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{self.y(value)}" y2="{self.y(value)}" '
            f'stroke="currentColor" stroke-opacity="{opacity}"/>'
            f'<text x="{_LEFT - 6}" y="{self.y(value) + 4}" text-anchor="end">{name}</text>'
            for value, opacity, name in self._marks()
        )
        ends = ((_LEFT, "start", self.first), (_RIGHT, "end", self.last))
        dates = "".join(
            f'<text x="{x}" y="{_BOTTOM + 20}" text-anchor="{anchor}">{at:%Y-%m-%d}</text>'
            for x, anchor, at in ends[: 1 if self.first == self.last else 2]
        )
        return heights + dates

    def _marks(self) -> list[tuple[float, float, str]]:
        """Return where lines go, how strong, and their names: 0 and the ends, none on top of it."""
        ends = [value for value in (self.low, self.high) if abs(self.y(value) - self.y(0.0)) > 14]
        return [(0.0, 0.9, "0%"), *((value, 0.25, _lift(value)) for value in ends)]

    def series(self, looks: Sequence[Look], place: int) -> str:
        colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place % len(_DASHES)]
        banded = [(self.x(look.at), *map(self.y, look.always_valid)) for look in looks if look.always_valid]
        upper = [f"{x},{high}" for x, _, high in banded]
        lower = [f"{x},{low}" for x, low, _ in reversed(banded)]
        line = " ".join(f"{self.x(look.at)},{self.y(look.lift or 0.0)}" for look in looks)
        end = looks[-1]
        whisker = ""
        if end.always_valid:
            low, high = map(self.y, end.always_valid)
            x = self.x(end.at)
            whisker = f'<line x1="{x}" x2="{x}" y1="{low}" y2="{high}" stroke="currentColor"/>'
        return (
            f'<g class="{colour}"><polygon points="{" ".join(upper + lower)}" fill="currentColor" '
            f'fill-opacity="0.14"/><polyline points="{line}" fill="none" stroke="currentColor" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>{whisker}'
            f'<circle cx="{self.x(end.at)}" cy="{self.y(end.lift or 0.0)}" r="4" fill="currentColor"/>'
            f'<text x="{self.x(end.at) + 9}" y="{self.y(end.lift or 0.0) + 4}">'
            f"{escape(end.variant)} {_lift(end.lift)}</text></g>"
        )


def _table(sheet: Sheet) -> str:
    if not sheet.rows:
        return ""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in sheet.head)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in sheet.rows
    )
    return (
        f'<h3>{escape(sheet.title)}</h3><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(sheet.title)}"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _standing(one: Comparison) -> str:
    """What a comparison says by the interval over all looks; a guardrail by its margin."""
    low, high = one.always_valid or (0.0, 0.0)
    if one.role is Role.GUARDRAIL:
        margin = one.margin or 0.0
        safe = one.always_valid is not None and low > -margin
        says = "HARMED" if one.harmed else "safe" if safe else "not decided"
        return f"guardrail {says}"
    says = "better" if low > 0 else "worse" if high < 0 else "not decided"
    return f"goal: {says}" if one.role is Role.GOAL else says


def _figure(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.2%}"


def _lift(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:+.1%}"


def _interval(ends: tuple[float, float] | None, form: str) -> str:
    return _UNKNOWN if ends is None else f"{form.format(ends[0])} to {form.format(ends[1])}"


def _p_value(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
