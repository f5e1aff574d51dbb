"""A referrer becomes one word, and the address is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalization.referrers import Medium, medium_of


@pytest.mark.parametrize(
    ("referrer", "medium"),
    [
        ("", Medium.DIRECT),
        ("(direct)", Medium.DIRECT),
        ("https://www.google.com/search?q=a+secret", Medium.SEARCH),
        ("https://www.google.co.uk/", Medium.SEARCH),
        ("http://DuckDuckGo.com:443", Medium.SEARCH),
        ("yandex.com.tr/search", Medium.SEARCH),
        ("android-app://com.google.android.googlequicksearchbox/", Medium.SEARCH),
        ("Organic", Medium.SEARCH),
        ("https://l.instagram.com/?u=https%3A%2F%2Fgoogle.com", Medium.SOCIAL),
        ("https://t.co/abc", Medium.SOCIAL),
        ("android-app://com.linkedin.android", Medium.SOCIAL),
        ("https://mail.google.com/mail/u/0/", Medium.EMAIL),
        ("https://outlook.live.com/mail/ann@example.org", Medium.EMAIL),
        ("android-app://com.google.android.gm/", Medium.EMAIL),
        (" newsletter ", Medium.EMAIL),
        ("cpc", Medium.AD),
        ("https://ad.doubleclick.net/x", Medium.AD),
        ("https://blog.example.org/google", Medium.REFERRAL),
        ("https://google.com@example.org/", Medium.REFERRAL),
        ("https://notgoogle.com", Medium.REFERRAL),
        ("https://google.example.org", Medium.REFERRAL),
        ("https://ann:secret@example.org/", Medium.REFERRAL),
    ],
)
def test_a_referrer_is_told_by_its_host_or_its_word(referrer: str, medium: Medium) -> None:
    assert medium_of(referrer) is medium


@pytest.mark.parametrize(
    "referrer", ["partner-42", "http://[", "https://", "//", "about:blank", "a..b", "localhost"]
)
def test_what_is_neither_address_nor_word_tells_nothing(referrer: str) -> None:
    assert medium_of(referrer) is None


@given(st.text() | st.from_regex(r"https?://[a-z.@:\[\]/?#]*"))
def test_whatever_is_sent_becomes_a_medium_or_nothing_and_a_medium_stays(referrer: str) -> None:
    medium = medium_of(referrer)
    assert medium is None or medium_of(medium) is medium


def test_every_medium_is_a_word_for_itself() -> None:
    assert [medium_of(medium.value.upper()) for medium in Medium] == list(Medium)
