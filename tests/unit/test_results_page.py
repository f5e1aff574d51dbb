"""How results of experiments look to people: on a page, in a terminal."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from msgspec import structs

from personalization.experiment_results import (
    Comparison,
    Decision,
    ExperimentResults,
    Look,
    Plan,
    Role,
    SampleRatio,
    VariantResults,
)
from personalization.results_page import (
    comparison_sheet,
    fragment,
    lift_chart,
    page,
    plan_line,
    sample_ratio_line,
    text_chart,
    variant_sheet,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def variant(name: str, clicks: int, *comparisons: Comparison) -> VariantResults:
    return VariantResults(
        name=name,
        weight=0.5,
        users=1_000,
        impressions=10_000,
        clicks=clicks,
        conversions=12,
        revenue=99.5,
        dwell_seconds=7_200,
        ctr=clicks / 10_000,
        ctr_interval=(0.028, 0.034),
        comparisons=comparisons,
    )


def results(**changes: object) -> ExperimentResults:
    goal = Comparison(
        metric="ctr",
        role=Role.GOAL,
        unit="clicks per impression",
        method="delta method",
        control=0.03,
        value=0.036,
        lift=0.2,
        interval=(0.12, 0.28),
        always_valid=(0.05, 0.35),
        p_value=0.00001,
        adjusted_p_value=0.00002,
        always_valid_p_value=0.004,
    )
    guardrail = Comparison(
        metric="revenue_per_user",
        role=Role.GUARDRAIL,
        unit="currency",
        method="Welch",
        control=0.1,
        value=0.06,
        lift=-0.4,
        always_valid=(-0.6, -0.2),
        margin=0.05,
        harmed=True,
    )
    looks = tuple(
        Look(
            at=BEGIN + timedelta(days=day),
            variant="new",
            users=100 * day,
            lift=0.2 + 0.1 / day,
            always_valid=(0.2 - 0.9 / day, 0.2 + 0.9 / day),
        )
        for day in range(1, 7)
    )
    whole = ExperimentResults(
        experiment="ranking",
        surface="home",
        as_of=BEGIN + timedelta(days=6),
        started_at=BEGIN,
        users=2_000,
        crossed_over=3,
        decision=Decision.STOP_HARMFUL,
        verdict="Stop: new loses revenue.",
        variants=(variant("control", 300), variant("new", 360, guardrail, goal)),
        sample_ratio=SampleRatio(
            expected=(0.5, 0.5),
            observed=(1_000, 1_000),
            p_value=1.0,
            always_valid_p_value=1.0,
            mismatch=False,
        ),
        plan=Plan(effect=0.05, power=0.8, users_needed=40_000, days_left=11.4),
        looks=looks,
    )
    return structs.replace(whole, **changes)


class Tags(HTMLParser):
    """Checks that every tag is closed in order, and keeps what was seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_page_says_what_to_do_first_and_is_well_formed() -> None:
    tags = Tags(page([results()]).decode())
    assert tags.seen.count("svg") == 1
    assert tags.seen.count("table") == 2
    text = " ".join(tags.text)
    assert text.index("Stop: harmful") < text.index("impressions")
    assert "Stop: new loses revenue." in text


def test_a_page_without_experiments_says_so() -> None:
    assert b"No experiment was analyzed yet" in page([])


def test_names_are_escaped_wherever_they_stand() -> None:
    evil = '<script>alert("x")</script>'
    shown = results(
        experiment=evil,
        verdict=evil,
        surface=evil,
        variants=(variant(evil, 1), variant(evil, 2, *results().variants[1].comparisons)),
        looks=(Look(at=BEGIN, variant=evil, users=1, lift=0.1, always_valid=(-1.0, 1.0)),),
    )
    assert "script" not in Tags(page([shown]).decode()).seen


def test_goals_come_before_guardrails_and_a_harmed_one_says_so() -> None:
    rows = comparison_sheet(results()).rows
    assert [row[0] for row in rows] == ["new: ctr", "new: revenue_per_user"]
    assert rows[0][1] == "goal: better"
    assert rows[1][1] == "guardrail HARMED"


def test_a_lift_that_is_not_known_is_a_dash() -> None:
    nothing = Comparison(metric="ctr", role=Role.GOAL, unit="", method="", control=0, value=0)
    (row,) = comparison_sheet(results(variants=(variant("control", 0), variant("new", 0, nothing)))).rows
    assert (*row[2:5], *row[7:]) == ("-",) * 6
    assert row[1] == "goal: not decided"


def test_tables_have_as_many_cells_as_their_heads() -> None:
    for sheet in (variant_sheet(results()), comparison_sheet(results())):
        assert {len(row) for row in sheet.rows} == {len(sheet.head)}


@pytest.mark.parametrize(
    ("days_left", "says"),
    [(None, "no traffic"), (0.0, "they are there"), (11.4, "11 days"), (1e6, "ten years")],
)
def test_the_plan_tells_how_long_it_takes(days_left: float | None, says: str) -> None:
    plan = Plan(effect=0.05, power=0.8, users_needed=40_000, days_left=days_left)
    assert says in plan_line(results(plan=plan))


def test_a_split_that_is_not_as_configured_cannot_be_overlooked() -> None:
    ratio = SampleRatio(
        expected=(0.5, 0.5),
        observed=(51_000, 49_000),
        p_value=1e-10,
        always_valid_p_value=1e-8,
        mismatch=True,
    )
    assert "NOT as configured" in sample_ratio_line(results(sample_ratio=ratio))


def test_the_chart_stays_in_its_frame_however_wide_the_first_intervals_are() -> None:
    wild = Look(at=BEGIN, variant="new", users=2, lift=0.1, always_valid=(-1e9, 1e9))
    drawn = lift_chart(results(looks=(wild, *results().looks)))
    points = drawn.split('polygon points="')[1].split('"')[0].split()
    assert all(14 <= float(point.split(",")[1]) <= 196 for point in points)


def test_the_text_chart_has_a_line_a_look_and_marks_zero() -> None:
    lines = text_chart(results())
    assert len(lines) == 7
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[0].split()[0] == "2026-01-02"
    assert "<" in lines[0]
    assert all(line.count("o") == 1 and "|" in line for line in lines[:-1])


def test_nothing_is_drawn_before_there_is_a_lift() -> None:
    empty = results(looks=(), started_at=None, sample_ratio=None, plan=None, variants=())
    assert "No lift" in lift_chart(empty)
    assert text_chart(empty) == ["no lift to draw yet"]
    Tags(fragment(empty))


def test_equal_results_are_equal_pages() -> None:
    assert page([results()]) == page([results()])
