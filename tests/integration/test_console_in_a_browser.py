"""Operators click through the console: in a real browser, over the functions' own handlers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from browser import needs_chromium
from console_site import ALARM, HOSTILE, RUNBOOK, Site, results, running_site, store_results
from console_tab import DESKTOP, Console, violations
from factories import NOW
from personalization.experiment_results import Decision

pytestmark = needs_chromium
SECTIONS = ("Clicks", "Experiments", "Users", "Models", "Alarms")
PHONE = {"width": 400, "height": 800}
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture
def console(browser: Any, site: Site) -> Iterator[Console]:
    site.broken.clear()
    console = Console(browser, site)
    yield console
    console.context.close()


def test_every_section_shows_its_data_and_the_browser_has_nothing_to_say(console: Console) -> None:
    shown = {section: console.open(section) for section in SECTIONS}
    assert re.search(r"model\s+4\.\d\d%\s+4\.\d\d% to 5\.\d\d%", shown["Clicks"])
    assert (
        "Ship model: CTR is 13.4% higher (3.2% to 23.5%), and no guardrail is harmed." in shown["Experiments"]
    )
    assert re.search(
        r"CTR\s*goal\s+model\s+\+13\.\d%\s+\+3\.2% to \+23\.5%\s+4\.12%\s+4\.67%", shown["Experiments"]
    )
    assert "Nobody is chosen." in shown["Users"]
    assert re.search(r"nightly-0115\s+in service", shown["Models"])
    assert "3 quiet" in shown["Alarms"] or "2 quiet" in shown["Alarms"]
    assert console.complaints == []
    assert console.elsewhere == []


def test_charts_have_a_line_and_a_band_for_each_variant(console: Console) -> None:
    console.open("Clicks")
    assert console.page.locator(".chart .line").count() - console.page.locator(".legend .line").count() == 2
    assert console.page.locator(".chart .band").count() == 2
    console.open("Experiments")
    assert console.page.locator(".chart .band").count() == 1


def test_an_operator_chooses_how_far_back_clicks_go(console: Console, site: Site) -> None:
    console.open("Clicks")
    site.asked.clear()
    console.page.get_by_role("button", name="24 hours").click()
    console.page.get_by_text("CTR every hour").wait_for()
    assert any("click-rates?hours=24" in path for path, _ in site.asked)
    assert console.page.get_by_role("button", name="24 hours").get_attribute("aria-pressed") == "true"


def test_a_user_is_looked_up_and_compared_by_variant(console: Console) -> None:
    shown = console.look_up("ann")
    assert "Takes part in home-ranking as" in shown
    assert "drawn with probability 25%" in shown
    assert "Matches your taste" in shown
    assert re.search(r"place \d+ in what they get", shown)
    assert re.search(r"Lighting\s+43%", shown)
    first, second = console.page.locator(".variant").all()
    assert "gets this" in first.inner_text()
    assert "gets this" not in second.inner_text()
    assert "ann" not in console.page.url


def test_text_of_customers_is_never_markup_and_ids_of_any_kind_can_be_asked_for(
    console: Console, site: Site
) -> None:
    store_results(results(NOW, verdict=HOSTILE))
    try:
        assert HOSTILE in console.open("Experiments")
    finally:
        store_results(results(NOW))
    assert HOSTILE in console.look_up("ann")
    assert HOSTILE in console.open("Alarms")
    site.asked.clear()
    shown = console.look_up('a/b?c=d&e #"<b>ö')
    assert "This user is not known." in shown
    assert any("/users/a%2Fb%3Fc%3Dd%26e%20%23%22%3Cb%3E%C3%B6?" in path for path, _ in site.asked)
    assert console.page.title() == "Users · Attune console"
    assert console.complaints == []


def test_a_refused_question_says_why_and_keeps_the_page(console: Console) -> None:
    console.open("Users")
    console.page.get_by_label("User id").fill("\u0007bell")
    console.page.get_by_role("button", name="Show").click()
    problem = console.page.get_by_role("alert")
    problem.wait_for()
    assert "User_id has 1 to 128 printable characters" in problem.inner_text()
    assert "request-1" in problem.inner_text()
    assert console.page.get_by_label("User id").input_value() == "\u0007bell"


@pytest.mark.parametrize(
    ("decision", "mismatch", "words"),
    [
        (Decision.BROKEN, True, "Sample ratio mismatch: users are not split as configured"),
        (Decision.STOP_HARMFUL, False, "Stop: harmful"),
        (Decision.KEEP_RUNNING, False, "Keep running"),
        (Decision.STOP_FUTILE, False, "Stop: no difference"),
    ],
)
def test_a_verdict_is_said_in_words(console: Console, decision: Decision, mismatch: bool, words: str) -> None:
    store_results(results(NOW, decision=decision, mismatch=mismatch))
    try:
        assert words in console.open("Experiments")
    finally:
        store_results(results(NOW))


def test_a_ringing_alarm_comes_first_with_its_runbook_and_is_counted_on_every_section(
    console: Console, site: Site
) -> None:
    site.set_alarm(ALARM, "ALARM", "0.42 was less than 1.0")
    try:
        console.page.get_by_role("button", name="Refresh").click()
        console.page.get_by_role("link", name="Alarms 1 ringing").wait_for()
        console.page.locator("#announcement", has_text="Up to date.").wait_for(state="attached")
        console.open("Alarms")
        first = console.page.locator(".alarm").first
        assert "Ringing" in first.inner_text()
        assert "0.42 was less than 1.0" in first.inner_text()
        runbook = first.get_by_role("link", name="Runbook for Click rate home ranking model")
        assert runbook.get_attribute("href") == RUNBOOK
        assert "noopener" in str(runbook.get_attribute("rel"))
    finally:
        site.set_alarm(ALARM, "OK")


def test_a_failure_is_said_and_what_was_there_before_stays(console: Console, site: Site) -> None:
    console.open("Models")
    site.broken.add("GET /v1/admin/models")
    console.page.get_by_role("button", name="Refresh").click()
    problem = console.page.get_by_role("alert")
    problem.wait_for()
    assert "What is shown is from before." in problem.inner_text()
    assert "nightly-0115" in console.page.inner_text("#view")
    site.broken.clear()
    console.page.get_by_role("button", name="Refresh").click()
    problem.wait_for(state="detached")


def test_a_section_that_fails_at_first_can_be_tried_again(console: Console, site: Site) -> None:
    site.broken.add("GET /v1/admin/models")
    console.page.get_by_role("link", name="Models").click()
    again = console.page.get_by_role("button", name="Try again")
    again.wait_for()
    site.broken.clear()
    again.click()
    console.page.get_by_text("nightly-0115").first.wait_for()


def test_the_page_refreshes_itself_until_it_is_paused(browser: Any, site: Site) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.clock.install()
    page.goto(site.url)
    page.get_by_role("heading", name="home-ranking").wait_for()

    def asked_after(seconds: int) -> int:
        site.asked.clear()
        page.clock.run_for(1000 * seconds)
        page.wait_for_timeout(600)
        return sum("click-rates" in path for path, _ in site.asked)

    assert asked_after(31) == 1
    assert asked_after(31) == 1
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("button", name="Resume").get_attribute("aria-pressed") == "true"
    assert page.inner_text("#announcement") == "Paused: the page stays as it is."
    assert asked_after(120) == 0
    site.asked.clear()
    page.get_by_role("button", name="Resume").click()
    page.wait_for_timeout(600)
    assert sum("click-rates" in path for path, _ in site.asked) == 1
    context.close()


def test_what_somebody_types_survives_a_refresh(browser: Any, site: Site) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site.url}#users")
    page.get_by_label("User id").fill("bob")
    page.get_by_role("button", name="Pause").focus()
    page.clock.run_for(61_000)
    page.wait_for_timeout(600)
    assert page.get_by_label("User id").input_value() == "bob"
    context.close()


def test_all_of_it_works_from_the_keyboard(console: Console) -> None:
    page = console.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.get_by_role("link", name="Users").focus()
    page.keyboard.press("Enter")
    page.locator("[aria-current=page]", has_text="Users").wait_for()
    console.settled()
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.type("ann")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="ann").wait_for()
    assert page.evaluate("document.activeElement.id") == "user"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_address_leads_back_to_a_section(console: Console) -> None:
    console.open("Alarms")
    console.open("Models")
    console.page.go_back()
    console.settled()
    assert console.page.title() == "Alarms · Attune console"
    current = console.page.locator("[aria-current=page]")
    assert current.count() == 1
    assert current.inner_text().startswith("Alarms")
    console.page.reload()
    console.settled()
    assert console.page.title() == "Alarms · Attune console"


def test_times_are_in_the_zone_of_who_looks(browser: Any, site: Site) -> None:
    console = Console(browser, site, timezone_id="Asia/Kolkata")
    assert "Asia/Calcutta" in console.open("Models") or "Asia/Kolkata" in console.open("Models")
    console.context.close()


def test_an_open_environment_says_so_and_has_no_sign_in(console: Console) -> None:
    assert "This environment is open" in console.page.inner_text("body")
    assert console.page.get_by_role("button", name="Sign out").count() == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Any, site: Site, scheme: str, viewport: dict[str, int]
) -> None:
    site.set_alarm(ALARM, "ALARM", "0.42 was less than 1.0")
    console = Console(browser, site, color_scheme=scheme)
    console.page.set_viewport_size(viewport)
    for section in SECTIONS:
        console.look_up("ann") if section == "Users" else console.open(section)
        assert violations(console.page) == [], section
        assert console.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], section
    console.context.close()
    site.set_alarm(ALARM, "OK")


def test_axe_would_complain(console: Console) -> None:
    console.page.evaluate("document.getElementById('view').innerHTML = '<img src=x><input>'")
    assert {line.partition(":")[0] for line in violations(console.page)} >= {"image-alt", "label"}
