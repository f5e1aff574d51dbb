"""`python -m infrastructure.api`: write `docs/openapi.json` anew."""

from pathlib import Path

from infrastructure.api.document import text

if __name__ == "__main__":
    Path("docs/openapi.json").write_text(text(), encoding="utf-8")
