"""The console where nothing happened yet, and where nobody signed in yet."""

from typing import Any

from browser import needs_chromium
from console_site import get, running_site
from console_tab import DESKTOP, Console, violations


def test_a_platform_on_which_nothing_happened_yet_has_empty_sections() -> None:
    with running_site(seed=False):
        assert get("alarms")["alarms"] == []
        assert (get("models")["active"], get("models")["versions"]) == (None, [])
        assert get("experiments")["experiments"][0]["results"] is None
        assert {rate["rate"] for rate in get("click-rates")["variants"]} == {None}
        user = get("users/{user_id}", user_id="anybody")
        assert user["profile"] is None
        assert [variant["items"] for variant in user["variants"]] == [[], []]


@needs_chromium
def test_a_platform_on_which_nothing_happened_yet_says_what_to_do(browser: Any) -> None:
    with running_site(seed=False) as empty:
        console = Console(browser, empty)
        assert "Nothing was shown in these hours." in console.open("Clicks")
        assert "Not analysed yet." in console.open("Experiments")
        assert "No model is published yet." in console.open("Models")
        assert "No alarm of this environment was found." in console.open("Alarms")
        assert "An empty list." in console.look_up("anybody")
        assert console.complaints == []
        console.context.close()


@needs_chromium
def test_a_page_that_cannot_start_says_so(browser: Any) -> None:
    with running_site(seed=False) as empty:
        context = browser.new_context(viewport=DESKTOP)
        page = context.new_page()
        page.route("**/config.json", lambda route: route.abort())
        page.goto(empty.url)
        page.get_by_role("alert").wait_for()
        assert "The console could not start." in page.inner_text("main")
        assert "Loading" not in page.inner_text("main")
        context.close()


@needs_chromium
def test_without_a_token_the_page_is_empty_and_offers_the_sign_in(browser: Any) -> None:
    with running_site(sign_in_url="https://sign-in.example.com", client_id="client-1") as guarded:
        context = browser.new_context(viewport=DESKTOP)
        page = context.new_page()
        page.goto(guarded.url)
        page.get_by_role("button", name="Sign in").wait_for()
        assert page.get_by_role("navigation").count() == 0
        assert not [path for path, _ in guarded.asked if "/admin/" in path]
        assert violations(page) == []
        context.close()
