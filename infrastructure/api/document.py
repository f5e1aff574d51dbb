"""The OpenAPI document of the table of routes; schemas are made of the very types that are parsed."""

import json
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec

from infrastructure.api.answers import GatewayMessage, Problem
from infrastructure.api.routes import (
    ALWAYS,
    ROUTES,
    SERVER_ROUTES,
    Batch,
    Entry,
    Parameter,
    Route,
    codes_of,
)
from personalization.events import MAX_BODY_BYTES, MAX_EVENT_BYTES
from personalization.names import RETRY_AFTER_SECONDS

Json = dict[str, Any]
_REFERENCE: Final = "#/components/schemas/{name}"
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before it is sent again; spread, lest all come back at once.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": RETRY_AFTER_SECONDS},
    }
}
_OF_THE_GATEWAY: Final = {
    401: "No token.",
    403: "The token or the signature is not good, or not for this.",
    404: "No such route.",
    429: "Too many requests.",
}
_SCHEMES: Final = {
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the company's identity provider, or a guest's token; its subject "
        "is the user of the path and of every event.",
    },
    "operatorToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the operators' pool with the scope attune/admin.",
    },
    "sigv4": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "awsSigv4",
        "description": "AWS Signature Version 4, by a principal allowed execute-api:Invoke.",
    },
}


def document(routes: Iterable[Route] = (*ROUTES, *SERVER_ROUTES)) -> Json:
    """Build the OpenAPI 3.1 document. Cost: linear in routes."""
    table = tuple(routes)
    paths: dict[str, Json] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Attune",
            "version": version("attune"),
            "description": "Events in, recommendations out. Browsers and apps call with a token of their "
            "user; backends call the same routes under /v1/server with signed requests. The local "
            "environment asks for neither.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _components(table),
            "securitySchemes": _SCHEMES,
        },
    }


def text(routes: Iterable[Route] = (*ROUTES, *SERVER_ROUTES)) -> str:
    """Return the document as it rests in `docs/openapi.json`."""
    return json.dumps(document(routes), indent=2, ensure_ascii=False) + "\n"


def _components(routes: Iterable[Route]) -> Json:
    kinds: dict[type, None] = dict.fromkeys((Problem, GatewayMessage))
    for route in routes:
        kinds[route.answer] = None
        if route.body:
            kinds[route.body.kind] = None
    _, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    return {name: _portable(schema) for name, schema in sorted(components.items())}


def _portable(schema: Any) -> Any:
    """Say a schema as all of JSON Schema's readers do: `$` for Python's end of text, one line of prose."""
    match schema:
        case dict():
            fields = {name: _portable(value) for name, value in schema.items()}
            if isinstance(pattern := fields.get("pattern"), str):
                fields["pattern"] = pattern.replace(r"\Z", "$")
            if isinstance(prose := fields.get("description"), str):
                fields["description"] = " ".join(prose.partition("\n\n")[0].split())
            return fields
        case list():
            return [_portable(value) for value in schema]
        case _:
            return schema


def _operation(route: Route) -> Json:
    body = {"requestBody": _body(route.body)} if route.body else {}
    answers = {str(route.status): _success(route)}
    for status in sorted({*route.problems, *ALWAYS}):
        answers[str(status)] = _refusal(route, status)
    for status, about in _OF_THE_GATEWAY.items():
        gateway = _answer(about, "application/json", _reference(GatewayMessage))
        own = answers.setdefault(str(status), gateway)
        own["content"] |= gateway["content"]
    return {
        "operationId": route.operation or route.function,
        "summary": route.summary,
        "security": [{route.callers.value: []}, {}],
        **({"parameters": [_parameter(row) for row in route.parameters]} if route.parameters else {}),
        **body,
        "responses": dict(sorted(answers.items())),
    }


def _parameter(parameter: Parameter) -> Json:
    schema = _portable(msgspec.json.schema(parameter.kind))
    if parameter.default is not None:
        schema["default"] = parameter.default
    style = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.about,
        "schema": schema,
        "example": parameter.example,
        **style,
    }


def _body(batch: Batch | Entry) -> Json:
    one = _reference(batch.kind)
    if isinstance(batch, Entry):
        content = {"application/json": {"schema": one, "example": dict(batch.example)}}
        return {"required": True, "content": content}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": batch.limit}
    wrapped = {"type": "object", "properties": {batch.field: many}, "required": [batch.field]}
    return {
        "required": True,
        "description": f"One entry, an array of them, or an object of `{batch.field}`: at most {batch.limit} "
        f"entries of {MAX_EVENT_BYTES // 1024} KB each, {MAX_BODY_BYTES // 1024**2} MB in all.",
        "content": {
            "application/json": {"schema": {"anyOf": [one, many, wrapped]}, "example": list(batch.example)}
        },
    }


def _success(route: Route) -> Json:
    return _answer(HTTPStatus(route.status).phrase, "application/json", _reference(route.answer))


def _refusal(route: Route, status: int) -> Json:
    narrowed = {"properties": {"code": {"enum": list(codes_of(route, status))}, "status": {"const": status}}}
    schema = {"allOf": [_reference(Problem), narrowed]}
    answer = _answer(HTTPStatus(status).phrase, "application/problem+json", schema)
    return answer | ({"headers": _RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {})


def _answer(about: str, content_type: str, schema: Json) -> Json:
    return {"description": about, "content": {content_type: {"schema": schema}}}


def _reference(kind: type) -> Json:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
