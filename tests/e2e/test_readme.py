"""What the README shows is what happens: its calls of the API, run as they are written."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from infrastructure.local.layout import ROOT
from infrastructure.local.lifecycle import LocalAws

_FENCED = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples() -> list[str]:
    """Blocks of shell commands that call the API, in their order."""
    blocks = _FENCED.findall((ROOT / "README.md").read_text())
    return [block for block in blocks if "curl" in block]


def documents(text: str) -> list[Any]:
    """The JSON documents that `text` holds, one after the other and nothing else."""
    found, rest = [], text.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def test_every_call_of_the_api_in_the_readme_answers_with_success_and_json(
    platform: LocalAws, tmp_path: Path
) -> None:
    # Curl tells each answer's status beside what the reader sees.
    (tmp_path / ".curlrc").write_text('write-out = "%{stderr}status %{http_code}\\n"\n')
    environment = {
        **os.environ,
        "API": platform.api_url,
        "PORT": str(platform.layout.port),
        "CURL_HOME": str(tmp_path),
    }
    blocks = examples()
    assert blocks, "the README has no bash block with curl"
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        shown = f"{block}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, shown
        statuses = re.findall(r"^status (\d+)$", done.stderr, re.MULTILINE)
        assert statuses, shown
        assert all(status.startswith("2") for status in statuses), shown
        assert len(documents(done.stdout)) == len(statuses), shown
