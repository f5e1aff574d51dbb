"""The report: readable by the gate, new or old; and a page that nothing in the data can break out of."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import segments as personas
from training.acts import collect
from training.audience import Audience
from training.charts import LEFT, RIGHT, Point, Whisker, bars, curve, plane, table, whiskers
from training.cold_items import ColdItems
from training.cold_start import POPULAR, SEGMENTS, ColdStart, NewcomerScores
from training.dataset import Dataset
from training.evaluation import (
    MODEL,
    Difference,
    Estimate,
    Evaluation,
    GroupScores,
    Scores,
    UserGroup,
)
from training.measuring import Example, Recommended
from training.propensities import Examination, examination_section
from training.report import page, read_evaluation, save_report
from training.segments import Segment, Segments
from training.settings import Settings
from training.split import Split
from training.tradeoff import TradeOff
from training.tuned import Trial, Tuned
from training.tuning_report import tuning_section

EXAMINATION = Examination((1.0, 0.6), (1_000, 900), (50, 27))
TRAINING = {"validation_ndcg_at_10": [0.1, 0.3, 0.2], "importance": {"price": 7.0, "popular_rank": 3.0}}
HOSTILE = "</bdi></style><script>alert('x')</script><img src=x onerror=\"alert(1)\">&lt;"
VOID = {"meta", "line", "rect", "circle", "polyline"}


class Reader(HTMLParser):
    """Collects the tags and texts of a page, and checks that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def evaluation(title: str = "Red shoes", **changes: object) -> Evaluation:
    at = {5: 0.1, 10: 0.2, 20: 0.3}
    half = Scores(ndcg={5: 0.05, 10: 0.1, 20: 0.2}, hit_rate=at, mrr=at, map=at, coverage=0.25, novelty=3.5)
    estimate = Estimate(0.2, 0.1, 0.3)
    groups = {
        "new": UserGroup(1, 3, 40, {MODEL: GroupScores(estimate, estimate)}),
        "heavy": UserGroup(11, None, 3, {MODEL: GroupScores(Estimate(0.5, 0, 1), estimate)}),
    }
    example = Example(3, (title, "Socks"), (Recommended(title, "often_next"),), title, 4)
    whole = Evaluation(
        users=43,
        methods={MODEL: Scores(ndcg=at, hit_rate=at, mrr=at, map=at), "popularity": half},
        differences={"popularity": Difference(0.1, 0.05, 0.15)},
        recall_by_source={"covisitation": 0.4, "content": 0.2, "any": 0.5},
        recall_added_by_source={"covisitation": 0.3, "content": 0.0},
        groups=groups,
        examples=(example,),
    )
    return msgspec.structs.replace(whole, **changes)


AUDIENCE = Audience(
    segments=Segments(
        users=60,
        segments=(
            Segment("buyers", "More purchases.", 40, 0.6667, {}),
            Segment("others", "", 20, 0.3333, {}),
        ),
        silhouette={2: 0.4, 3: 0.3},
        ward={2: 0.35},
        agreement=0.9,
        points=(personas.Point(0.0, 1.0, 0), personas.Point(2.0, -1.0, 1)),
        explained=(0.5, 0.25),
        axes=("more purchases", "newer"),
    ),
    newcomers=ColdStart(
        users=9,
        told=0.75,
        methods={POPULAR: NewcomerScores(0.1, 0.5), SEGMENTS: NewcomerScores(0.2, 0.5)},
        differences={POPULAR: Difference(0.1, -0.05, 0.15)},
    ),
    new_items=ColdItems(
        items=7,
        users=4,
        recall_by_source={"popular": 0.0, "content": 0.25, "any": 0.25, "any but content": 0.0},
        exposure=0.02,
        exposure_without_content=0.01,
    ),
)


def laid_out(found: Evaluation, *, facts: str = "facts", audience: Audience = AUDIENCE) -> str:
    more = {"Which places are looked at": examination_section(EXAMINATION)}
    return page(facts, found, audience, TRAINING, more)


def words(found: Evaluation) -> str:
    return " ".join(Reader(laid_out(found)).texts)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    empty = Dataset(collect([]), {}, {}, Split.LAST)
    save_report(evaluation(), AUDIENCE, msgspec.json.encode(TRAINING), empty, tmp_path)
    assert read_evaluation(tmp_path) == evaluation()


def test_a_report_of_before_is_read_and_laid_out(tmp_path: Path) -> None:
    old = {
        "users": 7,
        "methods": {"model": {"ndcg": {"10": 0.2}, "hit_rate": {"10": 0.3}, "mrr": {"10": 0.1}}},
        "differences": {},
        "recall_by_source": {"popular": 0.5, "any": 0.5},
    }
    (tmp_path / "report.json").write_bytes(msgspec.json.encode({"evaluation": old}))
    found = read_evaluation(tmp_path)
    assert found.methods[MODEL].ndcg == {10: 0.2}
    assert (found.methods[MODEL].map, found.methods[MODEL].coverage) == ({}, None)
    assert (found.recall_added_by_source, found.groups, found.examples) == ({}, {}, ())
    assert "0.2000" in words(found)


def test_the_page_shows_the_same_twice() -> None:
    assert laid_out(evaluation()) == laid_out(evaluation())


def test_a_hostile_title_is_only_ever_text() -> None:
    hostile = Reader(laid_out(evaluation(HOSTILE), facts=HOSTILE))
    harmless = Reader(laid_out(evaluation()))
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes
    assert hostile.texts.count(HOSTILE) == 4


def test_a_hostile_persona_is_only_ever_text() -> None:
    named = Segment(HOSTILE, HOSTILE, 60, 1.0, {})
    segments = msgspec.structs.replace(AUDIENCE.segments, segments=(named, named), axes=(HOSTILE, HOSTILE))
    hostile = laid_out(evaluation(), audience=msgspec.structs.replace(AUDIENCE, segments=segments))
    assert Reader(hostile).tags == Reader(laid_out(evaluation())).tags
    assert Reader(hostile).texts.count(HOSTILE) == 4


def test_newcomers_are_told_with_the_interval_of_what_the_published_lists_have_more() -> None:
    shown = words(evaluation())
    assert "+0.1000 (-0.0500 to +0.1500)" in shown
    assert "75% of the newcomers have a list for theirs" in shown


def test_new_items_are_told_by_source_the_best_first_and_the_totals_last() -> None:
    section = laid_out(evaluation()).split("New items")[1].split("<section>")[0]
    texts = Reader(section.removesuffix("</section>").removeprefix("</h3>")).texts
    assert [text for text in texts if text in AUDIENCE.new_items.recall_by_source] == [
        *("content", "popular", "any", "any but content")
    ]


def test_an_audience_of_nobody_says_so() -> None:
    audience = Audience(
        segments=Segments(users=0, segments=(), note="Nobody."),
        newcomers=ColdStart(note="Nobody came."),
        new_items=ColdItems(items=0, users=0, recall_by_source={}, exposure=0, exposure_without_content=0),
    )
    shown = " ".join(Reader(laid_out(evaluation(), audience=audience)).texts)
    assert "Nobody came." in shown
    assert "Nobody's held-out item is new." in shown


@given(st.text())
def test_no_text_changes_the_structure_of_a_chart(name: str) -> None:
    for draw in (
        lambda name: table([name, "a"], [[name, name]]),
        lambda name: bars({name: 1.0}, "{:.1f}", label=name),
        lambda name: whiskers({name: [Whisker(name, 0.2, 0.1, 0.3)]}, "{:.1f}", label=name),
        lambda name: curve([0.1, 0.2], "{:.1f}", label=name, unit=name),
        lambda name: plane([Point(name, 0.1, 0.2)], "{:.1f}", label=name, across=name, up=name),
    ):
        assert Reader(draw(name)).tags == Reader(draw("plain")).tags


def test_the_page_asks_for_nothing_from_anywhere() -> None:
    text = laid_out(evaluation())
    assert Reader(text).attributes.isdisjoint({"src", "href", "srcset", "onload", "onerror"})
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert "default-src 'none'" in text


def test_the_page_has_every_section() -> None:
    shown = words(evaluation())
    for section in (
        "accuracy",
        "Lift",
        "Beyond",
        "Segments",
        "Cold start",
        "Recall",
        "Example",
        "Learning curve",
        "ranker looks at",
    ):
        assert section in shown


def tuned(low: float, *, best: int = 1) -> Tuned:
    chosen = {**Settings().hyperparameters(), "num_leaves": "9"}
    return Tuned(
        users=77,
        trials=(Trial((0.1, 0.2), pruned=False), Trial((0.3, 0.4), pruned=False), Trial((0.1,), pruned=True)),
        best=best,
        gained=Difference(0.2, low, 0.3),
        replaced=low > 0,
        best_hyperparameters=chosen,
        hyperparameters=chosen if low > 0 else Settings().hyperparameters(),
        importance={"num_leaves": 0.75, "damping": 0.25},
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (tuned(0.1), "The defaults were replaced: the best trial has +0.2000 NDCG@10 (95%: +0.1000"),
        (tuned(-0.1), "(95%: -0.1000 to +0.3000), which is not certain."),
        (tuned(0.0, best=0), "The defaults stay: no trial was better."),
    ],
)
def test_a_tuning_is_told_with_its_verdict(found: Tuned, sentence: str) -> None:
    more = {"Tuning": tuning_section(found)}
    shown = " ".join(Reader(page("facts", evaluation(), AUDIENCE, TRAINING, more)).texts)
    assert sentence in shown
    assert "3 trials, 1 of them pruned" in shown
    assert "num_leaves by training users 9" in shown
    assert "Tuning" not in words(evaluation())


def test_lift_is_the_difference_against_the_rivals_own_quality() -> None:
    assert "+100.0% +50.0% +150.0%" in words(evaluation())


def test_there_is_no_lift_over_a_rival_that_finds_nothing() -> None:
    zero = dict.fromkeys((5, 10, 20), 0.0)
    methods = evaluation().methods | {"popularity": Scores(ndcg=zero, hit_rate=zero, mrr=zero, map=zero)}
    assert "popularity n/a n/a n/a" in words(evaluation(methods=methods))


def test_average_precision_has_a_column_only_where_it_differs() -> None:
    assert "MRR = MAP @10" in words(evaluation())
    scores = evaluation().methods[MODEL]
    other = {MODEL: msgspec.structs.replace(scores, map={5: 0.1, 10: 0.15, 20: 0.2})}
    shown = words(evaluation(methods=other, differences={}))
    assert "MRR @10 MAP @10" in shown


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ({"covisitation": 0.3, "content": 0.1}, "Every source adds something."),
        ({"covisitation": 0.3, "content": 0.0}, "content adds nothing:"),
        (
            {"covisitation": 0.0, "content": 0.0, "popular": 0.0},
            "covisitation, content and popular add nothing:",
        ),
    ],
)
def test_sources_that_add_nothing_are_named(added: dict[str, float], sentence: str) -> None:
    assert sentence in words(evaluation(recall_added_by_source=added))


def test_a_source_that_is_off_is_shown_as_such_and_not_blamed() -> None:
    sizes = {"covisitation": 120, "content": 0}
    shown = words(
        evaluation(
            offered_by_source=sizes,
            early_recall_by_source={"covisitation": 0.125, "content": 0.0, "any": 0.25},
            early_recall_added_by_source={"covisitation": 0.0625, "content": 0.0},
        )
    )
    assert "Every source adds something." in shown
    assert "source k alone @20 added @20 alone @k added @k" in shown
    assert "covisitation 120 12.50% +6.25% 40.00% +30.00%" in shown
    assert "content off 0.00% +0.00% 20.00% +0.00%" in shown


def test_where_nobody_was_evaluated_no_source_is_blamed() -> None:
    assert "adds nothing" not in words(evaluation(users=0))


def test_a_group_too_small_to_compare_is_named_but_not_drawn() -> None:
    text = laid_out(evaluation())
    assert "heavy: 11 or more items, users: 3 (too few)" in text
    assert text.count("<circle") == 1 + len(AUDIENCE.segments.segments) + len(AUDIENCE.segments.points)


def test_every_strength_of_diversity_is_drawn_and_told() -> None:
    found = (TradeOff(0.0, 0.2, 0.0, 0.0, 0.5), TradeOff(0.5, 0.1, -0.15, -0.05, 0.75))
    text = laid_out(evaluation(trade_off=found, groups={}))
    assert text.count("<circle") == 2 + len(AUDIENCE.segments.segments) + len(AUDIENCE.segments.points)
    assert "0.5 0.1000 -0.1500 to -0.0500 0.7500" in " ".join(Reader(text).texts)


def test_the_ends_of_a_plane_are_its_points() -> None:
    drawn = plane([Point("a", 1.0, 5.0), Point("b", 3.0, 2.0)], "{:.0f}", label="x", across="right", up="up")
    places = re.findall(r'<circle class="dot strong" cx="([\d.]+)%" cy=([\d.]+)', drawn)
    (left, top), (right, bottom) = [(float(x), float(y)) for x, y in places]
    assert (left, right) == (LEFT, RIGHT)
    assert top < bottom
    assert Reader(drawn).texts[-4:] == ["up 5", "up 2", "right 1", "3"]


def test_an_example_tells_its_place_and_its_reasons() -> None:
    assert re.search(r"often next.*Red shoes\s+: at place 4", words(evaluation()))
    missed = msgspec.structs.replace(evaluation().examples[0], rank=0)
    assert "not among the first 20" in words(evaluation(examples=(missed,)))


def test_charts_of_nothing_or_of_zeros_are_drawn() -> None:
    for drawn in (
        bars({}, "{:.1f}", label="x"),
        bars({"a": 0.0}, "{:.1f}", label="x"),
        whiskers({"a": []}, "{:.1f}", label="x"),
        whiskers({"a": [Whisker("b", 0.0, 0.0, 0.0)]}, "{:.1f}", label="x"),
        curve([], "{:.1f}", label="x", unit="trees"),
        curve([0.5], "{:.1f}", label="x", unit="trees"),
        plane([], "{:.1f}", label="x", across="x", up="y"),
        plane([Point("a", 0.0, 0.0), Point("b", 0.0, 0.0)], "{:.1f}", label="x", across="x", up="y"),
    ):
        assert "nan" not in drawn
        Reader(drawn)
