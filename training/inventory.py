"""Which snapshot a night may begin with: the newest that knows the lake as it still is.

Each snapshot names the days it read, with a digest of their objects' names and contents. A consumer that was
behind, or an erasure, changes a day afterwards; what was made of the old objects is then passed over, in
favour of an older snapshot or of the whole lake.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Final

import msgspec

import personalization
import training
from personalization.keys import MANIFEST
from training.split import Split

FORMAT_VERSION: Final = 1
Inventory = Mapping[date, str]
"""Day of the lake -> digest of its objects."""


class Manifest(msgspec.Struct, frozen=True):
    """What a snapshot was made of, and by what.

    Attributes
    ----------
    split
        How the night split that left it: one leave-last-out read the whole lake, and the next will have to.
    through
        The last day that was read, and all before.
    code
        Digest of the modules that decide what a history is.
    files
        Name -> digest of its content.
    """

    format_version: int
    code: str
    split: Split
    through: date
    days: dict[date, str]
    files: dict[str, str]


def digest_of(objects: Iterable[tuple[str, str]]) -> str:
    """Digest one day's objects: (name, tag of the content)."""
    digest = blake2b(digest_size=16)
    for name, tag in sorted(objects):
        digest.update(f"{name}\0{tag}\n".encode())
    return digest.hexdigest()


def seal(folder: Path, *, inventory: Inventory, how: Split) -> None:
    """Write the manifest of a snapshot that lies in the folder of its day."""
    through = date.fromisoformat(folder.name.removeprefix("date="))
    files = {path.name: _content(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    days = {day: digest for day, digest in sorted(inventory.items()) if day <= through}
    manifest = Manifest(FORMAT_VERSION, code_digest(), how, through, days, files)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def read_manifest(path: Path) -> Manifest | None:
    """Read a manifest; None if it is missing or can't be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def objection(manifest: Manifest | None, inventory: Inventory) -> str | None:
    """Say what speaks against beginning with a snapshot, files unseen; None if nothing does."""
    if manifest is None:
        return "its manifest can't be read"
    if (manifest.format_version, manifest.code) != (FORMAT_VERSION, code_digest()):
        return "other code made it"
    now = {day: digest for day, digest in inventory.items() if day <= manifest.through}
    for day in sorted(now.keys() | manifest.days.keys()):
        if now.get(day) != manifest.days.get(day):
            return f"the objects of {day} are others now"
    return None


def damage(manifest: Manifest, folder: Path) -> str | None:
    """Say which file of a fetched snapshot is missing or not what was written; None if all are whole."""
    for name, digest in manifest.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if _content(path) != digest:
            return f"{name} is damaged"
    return None


@cache
def code_digest() -> str:
    """Digest the sources of both packages: what other code made is not built upon."""
    digest = blake2b(digest_size=16)
    for package in (personalization, training):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
