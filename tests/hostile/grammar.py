"""What no parser asks for: odd values, broken JSON, and good input with something wrong in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

import msgspec

_TEXTS: Final = (
    *("", " ", "\0", "a\0b", "\x7f", "\r\nset-cookie: a=b", "x" * 129, "x" * 2_049, "x" * 40_000),
    *(
        "\u0430dmin",
        "ann\u200b",
        "\u202egnp",
        "e\u0301",
        "\ufeffann",
        "\U0001f600" * 40,
        "\U000e0001" * 7_000,
    ),
    *("../../etc/passwd", "'; DROP TABLE users; --", "${jndi:ldap://x/a}", "{{7*7}}", "%00%n%s", "<script>"),
    *("USER#", "LIST#home#lightgbm#v1", "item_upserted", "CLICK", "click ", "None", "null", "-1", "NaN"),
)
_TIMES: Final = (
    *("2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1989-12-31T23:59:59Z"),
    *("9999-12-31T23:59:59.999999-23:59", "-2026-01-01T00:00:00Z", "+12026-01-01T00:00:00Z", "2026-02-30"),
    *("2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01t00:00:00z"),
    *("2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00." + "1" * 60 + "Z", "2026-W01-1T00:00:00Z"),
    *(
        "2026-01-01T00:00:00-00:00",
        "\uff12\uff10\uff12\uff16-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "1767225600",
    ),
)
_NUMBERS: Final = (
    *(
        "0",
        "-0",
        "-1",
        "1.5",
        "-1e-400",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        "0x1",
    ),
    *(
        "1e9",
        "1000000001",
        "9007199254740993",
        "18446744073709551616",
        "9" * 400,
        "9" * 5_000,
        "0." + "3" * 900,
    ),
)
_NESTED: Final = (
    *("[]", "{}", "null", "true", "[" * 9 + "]" * 9, "[" * 999 + "]" * 999, "[" * 9_000 + "]" * 9_000),
    *('{"a":' * 900 + "0" + "}" * 900, '{"a":' * 5_000, "[" * 30_000, "[0" + ",0" * 3_000 + "]"),
    *('{"__proto__":{"a":1}}', '{"$ref":"#"}', '{"":""}', '{"a":1,"a":2}', json.dumps({"k" * 65: "v" * 65})),
)
_BYTES: Final = (b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"')
VALUES: Final = (
    *(json.dumps(text, ensure_ascii=False).encode() for text in (*_TEXTS, *_TIMES)),
    *(text.encode() for text in (*_NUMBERS, *_NESTED)),
    *_BYTES,
    *(b"[" + text + b"]" for text in _BYTES),
)
"""JSON values, and some that only look like one."""


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


WELL_FORMED: Final = tuple(filter(_is_json, VALUES))
"""Values that break their own entry only, and not the array they stand in."""
WORDS: Final = (
    *_TEXTS,
    *_TIMES,
    *_NUMBERS,
    "\ud800",
    "a\udfff",
    ",",
    "a," * 300,
    "٣",
    "²",
    "50",
    "51",
    "0x32",
)
"""What to put in a path, a query or a header."""

Fields = Mapping[str, Any]
Parts = list[list[bytes]]
"""The names and values of an object, as JSON."""


def broken_entry(random: Random, good: Fields, values: Sequence[bytes] = VALUES) -> bytes:
    """A good JSON object with one or two things wrong in it."""
    parts = [[json.dumps(name).encode(), json.dumps(value).encode()] for name, value in good.items()]
    for _ in range(random.choice((1, 1, 1, 2))):
        random.choice(_IN_FIELDS)(random, parts, values)
    return b"{" + b",".join(name + b":" + value for name, value in parts) + b"}"


def broken_body(random: Random, good: bytes) -> bytes:
    """Good bytes, damaged as a whole; or none of them at all."""
    return random.choice(_ON_BYTES)(random, good)


def _set_value(random: Random, parts: Parts, values: Sequence[bytes]) -> None:
    random.choice(parts)[1] = random.choice(values)


def _drop(random: Random, parts: Parts, _: Sequence[bytes]) -> None:
    if len(parts) > 1:
        del parts[random.randrange(len(parts))]


def _add(random: Random, parts: Parts, values: Sequence[bytes]) -> None:
    parts.append(
        [random.choice((b'"unknown"', b'""', b'"context"', b'"item"', b'"bot"')), random.choice(values)]
    )


def _repeat(random: Random, parts: Parts, values: Sequence[bytes]) -> None:
    parts.append([random.choice(parts)[0], random.choice(values)])


def _rename(random: Random, parts: Parts, _: Sequence[bytes]) -> None:
    part = random.choice(parts)
    part[0] = random.choice((part[0].upper(), part[0].replace(b"e", "\u0435".encode()), b'""', b'"\xff"'))


def _swap(random: Random, parts: Parts, _: Sequence[bytes]) -> None:
    one, other = random.choice(parts), random.choice(parts)
    one[1], other[1] = other[1], one[1]


_IN_FIELDS: Final = (_set_value, _set_value, _set_value, _drop, _add, _repeat, _rename, _swap)


def _flip(random: Random, good: bytes) -> bytes:
    data = bytearray(good)
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def _spliced(random: Random, good: bytes) -> bytes:
    at = random.randrange(len(good) + 1)
    return good[:at] + random.choice(VALUES) + good[at:]


_ON_BYTES: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    _flip,
    _spliced,
    lambda random, good: good[: random.randrange(len(good) + 1)],
    lambda random, good: good + random.choice((b"x", b"\0", good, b"]", b"//", b"\xff")),
    lambda _, good: b"\xef\xbb\xbf" + good,
    lambda random, good: good.decode(errors="replace").encode(
        random.choice(("utf-16", "utf-32-be", "utf-7"))
    ),
    lambda _, good: good.replace(b'"', b"'"),
    lambda random, _: random.randbytes(random.choice((0, 1, 7, 300, 5_000))),
    lambda random, _: random.choice(VALUES),
    lambda random, good: (
        b"[" + b",".join([good] * random.choice((0, 2, 3))) + random.choice((b"]", b",]", b""))
    ),
    lambda random, _: (
        random.choice((b"[", b'{"events":', b'{"a":[', b'{"items":{"a":')) * random.choice((2, 90_000))
    ),
    lambda random, _: random.choice((b" ", b"\n", b"0", b"[")) * random.choice((1, 70_000)),
    lambda _, good: b'{"events":' + good + b',"events":null,"items":7}',
)
