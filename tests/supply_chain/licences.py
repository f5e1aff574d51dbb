"""The licences of what is shipped, as the packages state them."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from typing import Final

ALLOWED: Final = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT", "MIT-0", "PSF-2.0", "Zlib"}
)
"""SPDX ids: those that ask for a notice at most."""
REASONED: Final = {
    (
        "tqdm",
        "MPL-2.0 AND MIT",
    ): "MPL covers its own files, which are shipped as they are; `implicit` needs it.",
}
"""Copyleft, package by package, with the reason why it may be shipped."""
UNSTATED: Final = {"crawler-user-agents": "MIT"}
"""Packages whose metadata names no licence; read from the file of their licence."""
_OF_CLASSIFIERS: Final = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
}


def licence_of(package: str) -> str | None:
    """Return the SPDX expression of an installed package; None if it states none.

    An expression beats a classifier, and that the free text, of which only one line is read.
    """
    if package in UNSTATED:
        return UNSTATED[package]
    stated = metadata(package)
    if stated.get("License-Expression"):
        return str(stated["License-Expression"])
    labels = [
        label.rpartition(" :: ")[2] for label in stated.get_all("Classifier") or [] if "License ::" in label
    ]
    known = [_OF_CLASSIFIERS[label] for label in labels if label in _OF_CLASSIFIERS]
    text = str(stated.get("License") or "").strip()
    return " AND ".join(known) or (text if "\n" not in text else None) or None


def is_allowed(expression: str) -> bool:
    """Whether one of the alternatives of an SPDX expression asks for a notice at most.

    >>> is_allowed("MIT OR GPL-3.0-only"), is_allowed("MIT AND GPL-3.0-only"), is_allowed("(MIT)")
    (True, False, False)
    """
    return any(
        all(part in ALLOWED for part in re.split(r"\s+AND\s+", alternative))
        for alternative in re.split(r"\s+OR\s+", expression)
    )


def objections(names: list[str]) -> Iterator[str]:
    """Yield what speaks against shipping packages; a licence that can't be read does."""
    for name in names:
        try:
            stated = licence_of(name)
        except PackageNotFoundError:
            yield f"{name}: not installed here, so its licence can't be read"
            continue
        if stated is None or not (is_allowed(stated) or (name, stated) in REASONED):
            yield f"{name}: {stated or 'no licence stated'} is neither allowed nor listed with a reason"
