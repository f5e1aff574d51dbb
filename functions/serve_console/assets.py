"""Files of a page, with their types and tags."""

from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One file as it is answered."""

    body: str
    content_type: str
    etag: str


def asset(body: str, suffix: str) -> Asset:
    """Build an asset; equal bodies have equal tags.

    >>> asset("{}", ".json")
    Asset(body='{}', content_type='application/json', etag='"44136fa355b3678a"')
    """
    return Asset(body, _TYPES[suffix], f'"{sha256(body.encode()).hexdigest()[:16]}"')


def read_assets(folder: Path) -> dict[str, Asset]:
    """Read every file of a folder by its name."""
    return {file.name: asset(file.read_text(encoding="utf-8"), file.suffix) for file in folder.iterdir()}
