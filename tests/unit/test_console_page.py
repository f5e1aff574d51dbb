"""The page of the console as it is served: complete, of one origin, and with nothing inline."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from functions.serve_console import dependencies
from functions.serve_console.handler import handler

PAGE = Path(dependencies.__file__).with_name("page")
FILES = sorted(PAGE.iterdir())
SIGN_IN = {"SIGN_IN_URL": "https://attune-test.auth.example.com", "CLIENT_ID": "client-1"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    values = {"ENVIRONMENT_NAME": "test", "SIGN_IN_URL": "none", "CLIENT_ID": "none", "SCOPE": "attune/admin"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    forget()
    yield monkeypatch
    forget()


def forget() -> None:
    dependencies.assets.cache_clear()
    dependencies.settings.cache_clear()


def get(asset: str | None = None, **headers: str) -> dict[str, Any]:
    parameters = {"asset": asset} if asset else None
    return handler({"headers": headers, "pathParameters": parameters}, SimpleNamespace(aws_request_id="r-1"))


def test_the_address_without_a_file_is_the_page_and_every_file_is_served_with_its_type() -> None:
    assert get()["body"] == (PAGE / "index.html").read_text()
    types = {get(file.name)["headers"]["content-type"].partition(";")[0] for file in FILES}
    assert types == {"text/html", "text/css", "text/javascript", "image/svg+xml"}


def test_nothing_outside_of_the_page_is_served() -> None:
    for name in ("../settings.py", "..%2Fhandler.py", "nothing.js", "/etc/passwd", "."):
        answer = get(name)
        assert answer["statusCode"] == 404
        assert msgspec.json.decode(answer["body"])["code"] == "no_such_asset"


def test_a_browser_that_has_a_file_is_not_sent_it_again() -> None:
    first = get("app.js")
    again = get("app.js", **{"if-none-match": first["headers"]["etag"]})
    assert again["statusCode"] == 304
    assert "body" not in again
    assert again["headers"]["cache-control"] == "no-cache"


def test_the_policy_allows_files_of_the_page_and_its_sign_in_and_nothing_else(
    environment: pytest.MonkeyPatch,
) -> None:
    assert policy()["connect-src"] == "'self'"
    for name, value in SIGN_IN.items():
        environment.setenv(name, value)
    forget()
    found = policy()
    assert found["connect-src"] == "'self' https://attune-test.auth.example.com"
    assert found["default-src"] == found["base-uri"] == found["frame-ancestors"] == "'none'"
    assert found["script-src"] == found["style-src"] == found["img-src"] == "'self'"


def policy() -> dict[str, str]:
    header = get()["headers"]["content-security-policy"]
    parts = [part.strip().partition(" ") for part in header.split(";")]
    return {name: value for name, _, value in parts}


def test_the_page_learns_where_to_sign_in_or_that_it_need_not(environment: pytest.MonkeyPatch) -> None:
    assert msgspec.json.decode(get("config.json")["body"]) == {"environment": "test", "sign_in": None}
    for name, value in SIGN_IN.items():
        environment.setenv(name, value)
    forget()
    assert msgspec.json.decode(get("config.json")["body"])["sign_in"] == {
        "url": "https://attune-test.auth.example.com",
        "client_id": "client-1",
        "scope": "attune/admin",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_reads_data_as_markup_or_asks_anybody_else(file: Path) -> None:
    text = file.read_text()
    reading_markup = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
    )
    assert not [word for word in reading_markup if word in text]
    addresses = set(re.findall(r"""["'(](?:https?:)?//[^"')\s]+""", text))
    assert addresses <= {'"http://www.w3.org/2000/svg'}


def test_the_markup_holds_no_script_style_or_handler_of_its_own() -> None:
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", markup)
