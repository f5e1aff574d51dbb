"""Bills of materials in CycloneDX, one a shipped part and one of everything; same lock, same bytes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from supply_chain.shipped import LOCAL_AWS, PARTS, ROOT, WHOLE, export

FOLDER: Final = ROOT / "dist" / "sbom"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write the bills; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    bills = {part: bill(options) for part, options in PARTS.items()}
    bills |= {"everything": bill(WHOLE), "local-aws": bill(("--all-groups",), project=LOCAL_AWS)}
    written = []
    for name, text in bills.items():
        written.append(folder / f"{name}.cdx.json")
        written[-1].write_text(text)
    return written


def bill(options: Sequence[str], *, project: str = ".") -> str:
    """Return the bill of an export; it names what is inside, not when it was made."""
    return normalized(json.loads(export(options, form="cyclonedx1.5", project=project)))


def normalized(document: dict[str, Any]) -> str:
    """Return a bill without time and random number: its serial number is made of its content."""
    del document["metadata"]["timestamp"]
    document.pop("serialNumber")
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid5(NAMESPACE_URL, content)}"
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
