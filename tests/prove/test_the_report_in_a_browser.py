"""report.html in a real browser: complete without a network, without complaints, and on a phone's width."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from browser import CHROMIUM, FLAGS, needs_chromium
from training import pipeline
from training.shop import Shop
from training.synthetic import simulate, write_lines

pytestmark = needs_chromium
PHONE = 400
WRAPPER = """<!doctype html><iframe src=report.html width={width} height=900></iframe><script>
addEventListener("load", () => {{
  const page = frames[0].document
  document.title = `${{page.documentElement.scrollWidth}} ${{page.querySelectorAll("section").length}}`
}})</script>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small synthetic shop."""
    folder = tmp_path_factory.mktemp("report")
    shop = Shop.open(seed=4, users=250, items=120)
    end = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
    write_lines(folder / "events.jsonl.gz", simulate(shop, days=20, seed=4, end=end))
    write_lines(folder / "items.jsonl.gz", [msgspec.json.encode(item) for item in shop.catalogue()])
    files = ["--events", str(folder / "events.jsonl.gz"), "--items", str(folder / "items.jsonl.gz")]
    assert pipeline.main([*files, "--output", str(folder)]) == 0
    return folder / "report.html"


def opened(page: Path, profile: Path) -> tuple[str, str]:
    """Open a page from disk, with no network; return the document it becomes, and what the browser logs."""
    options = [f"--user-data-dir={profile}", "--enable-logging=stderr", "--allow-file-access-from-files"]
    command = [CHROMIUM, *FLAGS, *options, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, done.stderr


def test_the_page_is_complete_from_disk_and_the_browser_has_nothing_to_say(
    report: Path, tmp_path: Path
) -> None:
    document, log = opened(report, tmp_path)
    written = report.read_text(encoding="utf-8")
    for tag in ("section", "circle", "tr"):
        assert document.count(f"<{tag}") == written.count(f"<{tag}") > 0
    assert "CONSOLE" not in log


def test_a_refused_style_or_script_would_be_logged(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.write_text(f"<!doctype html>{policy}<style>p {{ color: red }}</style>", encoding="utf-8")
    assert "CONSOLE" in opened(page, tmp_path / "profile")[1]


def test_on_a_phone_nothing_is_wider_than_the_screen(report: Path, tmp_path: Path) -> None:
    wrapper = report.with_name("phone.html")
    wrapper.write_text(WRAPPER.format(width=PHONE), encoding="utf-8")
    document, _ = opened(wrapper, tmp_path)
    found = re.search(r"<title>(\d+) (\d+)</title>", document)
    assert found, document
    assert int(found[1]) <= PHONE
    assert int(found[2]) > 5
