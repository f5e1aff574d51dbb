"""Hostile requests, as API Gateway hands them over (payload format 2.0)."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

from hostile.grammar import VALUES, WELL_FORMED, WORDS, broken_body, broken_entry
from infrastructure.api.routes import Route
from personalization.events import MAX_BATCH_EVENTS, MAX_BODY_BYTES

Request = dict[str, Any]
_FOLDER: Final = Path(__file__).parents[1] / "events"
_GOLDEN: Final = [json.loads(path.read_bytes())["sent"] for path in sorted(_FOLDER.glob("*.json"))]
_ITEM: Final = {
    "item_id": "sku-1",
    "title": "Desk lamp",
    "text": "It glows.",
    "tags": ["light", "desk"],
    "category": "lighting",
    "price": 39.9,
    "available": True,
    "published_at": "2026-01-01T00:00:00Z",
}
_ENTRIES: Final = {"ingest_events": "events", "put_items": "items"}
"""What a writing function calls the entries of its body."""
_CONTENT_TYPES: Final = (
    *(
        "application/json",
        "text/plain",
        "multipart/form-data",
        "application/xml",
        "application/json; charset=x",
    ),
    *("application/octet-stream", "", "\0"),
)
_PARAMETERS: Final = (
    "surface",
    "limit",
    "exclude",
    "country",
    "device",
    "referrer",
    "unknown",
    "",
    "limit[]",
)


def body_request(random: Random, body: bytes) -> Request:
    """Carry a body as text or as base64, under any content type."""
    request: Request = {"headers": {"content-type": random.choice(_CONTENT_TYPES)}, "isBase64Encoded": True}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or random.random() < 0.5:
        return {**request, "body": b64encode(body).decode()}
    return {**request, "body": text, "isBase64Encoded": False}


def bad_entries(random: Random, function: str, count: int, lately: str) -> list[bytes]:
    """Entries with something wrong in each; most times nothing that breaks the array, too."""
    values = WELL_FORMED if random.random() < 0.9 else VALUES
    return [broken_entry(random, _template(random, function, lately), values) for _ in range(count)]


def wrapped(random: Random, function: str, entries: Sequence[bytes]) -> bytes:
    """Make a body of entries in one of the ways a client may."""
    array = b"[" + b",".join(entries) + b"]"
    return array if random.random() < 0.5 else b'{"%s":%s}' % (_ENTRIES[function].encode(), array)


def bad_body(random: Random, function: str, lately: str) -> Request:
    """A body that is damaged as a whole."""
    good = json.dumps(_template(random, function, lately), ensure_ascii=False).encode()
    return body_request(random, broken_body(random, wrapped(random, function, [good])))


def lying_request(random: Random, function: str, lately: str) -> Request:
    """A good body under a false name, or none."""
    text = json.dumps([_template(random, function, lately)])
    packed = b64encode(gzip.compress(text.encode())).decode()
    return random.choice(
        (
            {"headers": {}, "body": text, "isBase64Encoded": True},
            {"headers": {}, "body": b64encode(text.encode()).decode(), "isBase64Encoded": False},
            {"headers": {"content-encoding": "gzip"}, "body": packed, "isBase64Encoded": True},
            {"headers": {}, "body": text[:40] + "\ud800" + text[40:], "isBase64Encoded": False},
            {"headers": {}, "body": "\udfff" + random.choice(WORDS), "isBase64Encoded": True},
            {"headers": {}, "body": "A" * random.choice((1, 5, 4_001)), "isBase64Encoded": True},
            {"headers": {random.choice(WORDS): random.choice(WORDS)}, "isBase64Encoded": True},
            {"headers": None, "body": None, "isBase64Encoded": False},
            {},
        )
    )


def huge_bodies(function: str, lately: str) -> Iterator[bytes]:
    """Bodies at a limit, or beyond it, that are meant to cost as much as they can."""
    field = "event_type" if function == "ingest_events" else "available"
    good = _template(Random(0), function, lately)

    def many(count: int, **fields: Any) -> bytes:
        rows = [{**good, "event_id": f"huge-{number}", **fields} for number in range(count)]
        return json.dumps(rows, ensure_ascii=False).encode()

    yield b" " * (MAX_BODY_BYTES + 1)
    yield b"[" * MAX_BODY_BYTES
    yield b'{"a":' * (MAX_BODY_BYTES // 5)
    yield b'{"events":' + b"9" * (MAX_BODY_BYTES - 20) + b"}"
    yield many(MAX_BATCH_EVENTS + 1)
    # Quoted in the reason, each character would take eleven bytes instead of four.
    yield many(MAX_BATCH_EVENTS, **{field: "\U000e0001" * 2_500})
    yield many(150, unknown="x" * 34_000)
    agents = (f"{'Spider http://' * 35}{number}" for number in range(MAX_BATCH_EVENTS))
    yield json.dumps([{**good, "context": {"user_agent": agent}} for agent in agents]).encode()


def reading_request(random: Random, route: Route) -> Request:
    """A question with anything in its path, query and headers."""
    request: Request = {"headers": {}, "isBase64Encoded": False}
    for name in (row.name for row in route.parameters if row.place == "path"):
        word = random.choice(("mallory", random.choice(WORDS)))
        escaped = quote(word, safe="", errors="surrogatepass") if random.random() < 0.5 else word
        request["pathParameters"] = {name: escaped}
        # Without its name, an experiment is another route's question.
        if route.function == "get_recommendations" and random.random() < 0.1:
            request["pathParameters"] = None
    names = random.sample(_PARAMETERS, random.randint(0, 3))
    request["queryStringParameters"] = {name: random.choice(WORDS) for name in names} or None
    if route.function == "put_consent":
        consent = random.choice(("personalization", "functional", "none", random.choice(WORDS)))
        good = json.dumps({random.choice(("consent", "consent", "x")): consent}).encode()
        request |= body_request(random, random.choice((good, broken_body(random, good))))
    if random.random() < 0.2:
        request["headers"] = {"cloudfront-viewer-country": random.choice(WORDS)}
    return request


def _template(random: Random, function: str, lately: str) -> dict[str, Any]:
    if function == "put_items":
        return {**_ITEM, "item_id": f"sku-{random.randrange(60)}"}
    user = f"mallory-{random.randrange(20)}"
    return {
        **random.choice(_GOLDEN),
        "user_id": user,
        "event_id": str(random.random()),
        "occurred_at": lately,
    }
