"""A folder in place of the lake's bucket: a copy of it, or what a test or an offline run wrote."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from personalization.errors import Conflict


class FolderLake:
    """Files below a folder, by their path as key. Not for writers on several threads at once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def listing(self, prefix: str) -> Iterator[tuple[str, str]]:
        """List keys and tags in order of key; a tag is of the content."""
        folder = self._root / prefix.rpartition("/")[0]
        keys = (path.relative_to(self._root).as_posix() for path in folder.rglob("*") if path.is_file())
        for key in sorted(keys):
            if key.startswith(prefix):
                yield key, _tag((self._root / key).read_bytes())

    def bodies(self, keys: Sequence[str]) -> Iterator[bytes]:
        """Read files in the order of their keys."""
        return ((self._root / key).read_bytes() for key in keys)

    def load(self, key: str) -> tuple[bytes, str] | None:
        """Read a file and its tag; None if there is none."""
        path = self._root / key
        if not path.is_file():
            return None
        body = path.read_bytes()
        return body, _tag(body)

    def save(self, key: str, body: bytes, *, instead_of: str | None) -> str:
        """Write a file in place of the one of a tag, or where there is none; return the new tag.

        Raises
        ------
        Conflict
            Another one is there.
        """
        found = self.load(key)
        if (found[1] if found else None) != instead_of:
            raise Conflict(f"{key} was changed")
        self.put(key, body)
        return _tag(body)

    def put(self, key: str, body: bytes) -> None:
        """Write a file over whatever is there: whole, or not at all."""
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.new")
        scratch.write_bytes(body)
        scratch.replace(path)


def _tag(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()
