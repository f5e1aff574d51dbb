"""The API's document: made of one table, valid, and true of the handlers."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from hostile.shop import opened
from infrastructure.api.answers import RejectionCode
from infrastructure.api.document import document, text
from infrastructure.api.routes import ROUTES, Route
from infrastructure.local.layout import ROOT
from personalization.events import decode_client_event, decode_item

EVENTS = sorted((ROOT / "tests" / "events").glob("*.json"))


def test_the_document_in_the_repository_is_the_one_of_the_table() -> None:
    found = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert found == text(), "run: python -m infrastructure.api"


def test_every_schema_of_the_document_is_valid() -> None:
    for name, schema in document()["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema), name


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    names = {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}
    assert set(references(whole)) <= names


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_golden_events_fit_the_schema_that_clients_read(path: Path) -> None:
    sent = json.loads(path.read_bytes())["sent"]
    validator("ClientEvent").validate(sent)
    decode_client_event(json.dumps(sent).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": ""},
        {"user_id": "a\n"},
        {"value": -1},
        {"occurred_at": 12},
        {"surface": "Home!"},
        {"event_type": "x"},
    ],
)
def test_what_the_schema_refuses_is_refused(change: dict[str, Any]) -> None:
    good = json.loads((ROOT / "tests" / "events" / "rating.json").read_bytes())["sent"]
    assert not validator("ClientEvent").is_valid({**good, **change})


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    whole = document()
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **whole})


def test_the_example_of_every_route_is_answered_as_documented() -> None:
    with opened() as shop:
        for route in ROUTES:
            answer = shop.call(route.function, request(route))
            assert answer["statusCode"] == route.status, answer
            body = json.loads(answer["body"])
            validator(route.answer.__name__).validate(body)
            assert body.get("items", True), "an example that shows nothing"
            assert body.get("experiments", True), "an example that shows nothing"
            assert not body.get("rejected")


def request(route: Route) -> dict[str, Any]:
    """Build the request of a route's examples."""

    def values(place: str) -> dict[str, str]:
        rows = [row for row in route.parameters if row.place == place]
        return {
            row.name: ",".join(row.example) if isinstance(row.example, list) else str(row.example)
            for row in rows
        }

    body = json.dumps(route.body.example) if route.body else None
    return {
        "headers": {},
        "pathParameters": values("path"),
        "queryStringParameters": values("query"),
        "body": body,
    }


def test_a_function_of_every_route_exists() -> None:
    assert all(callable(import_module(f"functions.{route.function}.handler").handler) for route in ROUTES)


def test_the_codes_of_rejected_entries_are_those_that_the_parsers_raise() -> None:
    source = ROOT / "layers/personalization/python/personalization"
    files = ("consent.py", "events.py", "identification.py", "ingestion.py")
    written = "".join((source / name).read_text() for name in files)
    assert all(f'"{code}"' in written for code in RejectionCode.__args__)
    assert msgspec.json.schema(RejectionCode)["enum"]


def test_the_example_items_are_items() -> None:
    (route,) = [row for row in ROUTES if row.function == "put_items"]
    assert route.body
    assert decode_item(json.dumps(route.body.example[0]).encode()).item_id
