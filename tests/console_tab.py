"""A tab of a browser with the console in it, as tests click through it."""

import re
from pathlib import Path
from typing import Any

import pytest

from console_site import Site

AXE = Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"
DESKTOP = {"width": 1280, "height": 900}


class Console:
    """A tab with the console in it; whatever the browser complains about is kept."""

    def __init__(self, browser: Any, site: Site, **options: Any) -> None:
        self.context = browser.new_context(viewport=DESKTOP, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        origin = site.url.partition("/_aws")[0]
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda sent: sent.url.startswith(origin) or self.elsewhere.append(sent.url))
        self.page.goto(site.url)
        self.settled()

    def settled(self) -> None:
        self.page.locator("main:not([aria-busy])").wait_for()

    def open(self, section: str) -> str:
        self.page.get_by_role("link", name=re.compile(f"^{section}")).click()
        self.page.locator("[aria-current=page]", has_text=section).wait_for()
        self.settled()
        return str(self.page.inner_text("main"))

    def look_up(self, user: str, surface: str = "home") -> str:
        self.open("Users")
        self.page.get_by_label("User id").fill(user)
        self.page.get_by_label("Surface").fill(surface)
        self.page.get_by_role("button", name="Show").click()
        self.page.get_by_role("heading", name=user).wait_for()
        return str(self.page.inner_text("main"))


def violations(page: Any) -> list[str]:
    """What axe-core finds, by the rules of WCAG 2.2 AA and its own of good practice."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make setup")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['html'][:120]} ({node['failureSummary'][:200]})"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
