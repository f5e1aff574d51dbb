"""Where an alarm sends the person it wakes."""

from typing import Final

from infrastructure.constructs.layer_build import ROOT

REPOSITORY: Final = "https://git.example.com/attune/blob/main"
"""Where your people read this repository; alarms link to it. Set it to your own before you deploy."""
FOLDER: Final = ROOT / "docs" / "runbooks"


def described(sentence: str, page: str) -> str:
    """Return an alarm's description: what users feel, in one sentence, and the address of its page.

    Raises
    ------
    FileNotFoundError
        There is no such page.

    Examples
    --------
    >>> described("Pages fail to load.", "server-errors")
    'Pages fail to load. https://git.example.com/attune/blob/main/docs/runbooks/server-errors.md'
    """
    path = (FOLDER / f"{page}.md").relative_to(ROOT)
    if not (ROOT / path).is_file():
        raise FileNotFoundError(f"write {path}: every alarm has a page that says what to do")
    return f"{sentence} {REPOSITORY}/{path}"
