"""The report: readable by the gate, new or old; and a page that nothing in the data can break out of."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.acts import collect
from training.charts import Whisker, bars, curve, table, whiskers
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
from training.report import page, read_evaluation, save_report
from training.split import Split

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


def words(found: Evaluation) -> str:
    return " ".join(Reader(page("facts", found, TRAINING)).texts)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    save_report(
        evaluation(), msgspec.json.encode(TRAINING), Dataset(collect([]), {}, {}, Split.LAST), tmp_path
    )
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
    assert page("facts", evaluation(), TRAINING) == page("facts", evaluation(), TRAINING)


def test_a_hostile_title_is_only_ever_text() -> None:
    hostile = Reader(page(HOSTILE, evaluation(HOSTILE), TRAINING))
    harmless = Reader(page("facts", evaluation(), TRAINING))
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes
    assert hostile.texts.count(HOSTILE) == 4


@given(st.text())
def test_no_text_changes_the_structure_of_a_chart(name: str) -> None:
    for draw in (
        lambda name: table([name, "a"], [[name, name]]),
        lambda name: bars({name: 1.0}, "{:.1f}", label=name),
        lambda name: whiskers({name: [Whisker(name, 0.2, 0.1, 0.3)]}, "{:.1f}", label=name),
        lambda name: curve([0.1, 0.2], "{:.1f}", label=name, unit=name),
    ):
        assert Reader(draw(name)).tags == Reader(draw("plain")).tags


def test_the_page_asks_for_nothing_from_anywhere() -> None:
    text = page("facts", evaluation(), TRAINING)
    assert Reader(text).attributes.isdisjoint({"src", "href", "srcset", "onload", "onerror"})
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert "default-src 'none'" in text


def test_the_page_has_every_section() -> None:
    shown = words(evaluation())
    for section in ("accuracy", "Lift", "Beyond", "Recall", "Example", "Learning curve", "ranker looks at"):
        assert section in shown


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


def test_where_nobody_was_evaluated_no_source_is_blamed() -> None:
    assert "adds nothing" not in words(evaluation(users=0))


def test_a_group_too_small_to_compare_is_named_but_not_drawn() -> None:
    text = page("facts", evaluation(), TRAINING)
    assert "heavy: 11 or more items, users: 3 (too few)" in text
    assert text.count("<circle") == 1


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
    ):
        assert "nan" not in drawn
        Reader(drawn)
