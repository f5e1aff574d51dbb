"""Who is no person: told by the user agent, of the visitor or of the caller."""

import pytest

from personalization.bots import is_bot, is_bot_calling

BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)
CRAWLERS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120 Safari/537.36",
]
LIBRARIES = ["python-requests/2.31", "Go-http-client/2.0", "axios/1.6.0", "okhttp/4.9.3", "Amazon CloudFront"]


@pytest.mark.parametrize("agent", CRAWLERS)
def test_a_crawler_is_one_whether_it_visits_or_calls(agent: str) -> None:
    assert is_bot(agent)
    assert is_bot_calling(agent)


@pytest.mark.parametrize("agent", LIBRARIES)
def test_a_library_is_no_visitor_but_may_call_for_one(agent: str) -> None:
    assert is_bot(agent)
    assert not is_bot_calling(agent)


@pytest.mark.parametrize("agent", [BROWSER, "", "é" * 10_000])
def test_a_browser_and_the_unknown_are_people(agent: str) -> None:
    assert not is_bot(agent)
    assert not is_bot_calling(agent)
