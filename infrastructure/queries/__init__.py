"""The usual questions to the lake, as Athena asks them: one file each, in Trino's SQL.

A file begins with a comment: what it answers, and, after `-- with:`, which of the tables in `parts/` it
reads. All look at the last 28 days: change the 28 to look further. `:fewest` is the number of
distinct users below which nothing is told: a row of fewer is left out.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FEWEST_USERS: Final = 20
"""Where nobody says otherwise."""
FOLDER: Final = Path(__file__).parent
_HEAD: Final = re.compile(r"(?P<comment>(-- .*\n)+)")


@dataclass(frozen=True)
class Question:
    """A query with its name and what it answers."""

    name: str
    description: str
    sql: str


def questions(fewest: int = FEWEST_USERS) -> list[Question]:
    """Return all of them, in the order of their names; nothing is told of fewer users than `fewest`."""
    return [_question(path, fewest) for path in sorted(FOLDER.glob("*.sql"))]


def _question(path: Path, fewest: int) -> Question:
    text = path.read_text()
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f"{path} begins with a comment that says what it answers")
    lines = [line.removeprefix("-- ") for line in head["comment"].splitlines()]
    parts = [line.removeprefix("with: ").split(", ") for line in lines if line.startswith("with: ")]
    description = " ".join(line for line in lines if not line.startswith("with: "))
    body = text[head.end() :].strip()
    tables = [_part(name) for name in (parts[0] if parts else [])]
    sql = f"WITH {',\n'.join(tables)}\n{body}" if tables else body
    return Question(path.stem, description, sql.replace(":fewest", str(fewest)))


def _part(name: str) -> str:
    text = (FOLDER / "parts" / f"{name}.sql").read_text().strip()
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    return f"{name} AS (\n{indented}\n)"
