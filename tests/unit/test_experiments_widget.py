"""The dashboard's widget: what it asks, and HTML that runs nothing."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import boto3
import pytest
from moto import mock_aws
from msgspec import structs

from contracts.conftest import TABLE, create_table
from functions.show_experiments.dependencies import experiments
from functions.show_experiments.handler import handler
from functions.show_experiments.widget import MAX_EXPERIMENTS, experiments_of, widget
from personalization import keys
from personalization.experiment_results import encode_results
from personalization.results_page import STYLE
from unit.test_results_page import results

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
RUNS_OR_LOADS = {"script", "img", "iframe", "object", "embed", "link", "form", "cwdb-action", "use", "image"}


class Tags(HTMLParser):
    """Collects what HTML is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def asked(*names: str, theme: str = "light") -> dict[str, Any]:
    return {
        "experiments": list(names),
        "widgetContext": {"theme": theme, "params": {"experiments": list(names)}},
    }


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(client)
        monkeypatch.setenv("TABLE_NAME", TABLE)
        experiments.cache_clear()
        yield client
    experiments.cache_clear()


def store(table: Any, name: str, body: bytes) -> None:
    key = keys.experiment_key(name)
    table.put_item(TableName=TABLE, Item={"pk": {"S": key.pk}, "sk": {"S": key.sk}, "data": {"B": body}})


def test_it_describes_itself_in_markdown_without_a_table() -> None:
    answer = handler({"describe": True}, None)
    assert isinstance(answer, dict)
    assert "experiments" in answer["markdown"]


def test_results_are_drawn_and_an_experiment_without_any_says_so(table: Any) -> None:
    stored = results()
    store(table, stored.experiment, encode_results(stored))
    answer = handler(asked(stored.experiment, "new-one"), None)
    assert isinstance(answer, str)
    assert stored.verdict in answer
    assert "<svg" in answer
    assert answer.index(stored.experiment) < answer.index("new-one")
    assert "Nothing was analyzed yet" in answer


def test_unreadable_results_count_as_none(table: Any) -> None:
    store(table, "broken", b"not results")
    assert "Nothing was analyzed yet" in handler(asked("broken"), None)


def test_a_hostile_name_is_shown_and_not_run() -> None:
    found = structs.replace(results(), experiment=HOSTILE, verdict=HOSTILE, surface=HOSTILE)
    for shown in (widget([HOSTILE], {HOSTILE: found}, dark=False), widget([HOSTILE], {}, dark=False)):
        read = Tags(shown)
        assert not read.tags & RUNS_OR_LOADS
        assert not {name for name in read.attributes if name.startswith("on") or name in ("src", "href")}
        assert "&lt;script&gt;" in shown


def test_the_theme_is_the_dashboards_not_the_systems() -> None:
    assert "prefers-color-scheme" in STYLE
    dark, light = widget([], {}, dark=True), widget([], {}, dark=False)
    assert "prefers-color-scheme" not in dark + light
    assert "@media all" in dark
    assert "@media not all" in light


@pytest.mark.parametrize(
    "event",
    [{}, {"experiments": None}, {"experiments": "all"}, {"experiments": [1, {}]}, {"widgetContext": None}],
)
def test_whatever_else_is_asked_is_nothing(event: dict[str, Any]) -> None:
    assert experiments_of(event) == []
    assert "names no experiments" in widget([], {}, dark=False)


def test_parameters_count_wherever_they_come_and_are_bounded() -> None:
    assert experiments_of({"widgetContext": {"params": {"experiments": ["a", "a", "b"]}}}) == ["a", "b"]
    assert len(experiments_of({"experiments": [str(number) for number in range(500)]})) == MAX_EXPERIMENTS
