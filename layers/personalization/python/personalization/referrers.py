"""Where a visit came from, as one word: all that is kept of a referrer.

The address itself may name a person, a search or a mailbox. A few dozen hosts make up nearly all traffic of
their kind; a site that isn't among them is a `REFERRAL`.
"""

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class Medium(StrEnum):
    """The kind of place a visit came from, as web analytics tell them apart."""

    DIRECT = "direct"
    SEARCH = "search"
    SOCIAL = "social"
    EMAIL = "email"
    AD = "ad"
    REFERRAL = "referral"


_WORDS: Final = {
    Medium.DIRECT: "direct (direct) none (none)",
    Medium.SEARCH: "search organic",
    Medium.SOCIAL: "social social-network social-media",
    Medium.EMAIL: "email e-mail mail newsletter",
    Medium.AD: "ad ads cpc ppc cpm paid paidsearch display banner",
    Medium.REFERRAL: "referral link affiliate",
}
"""What campaigns call a medium (`utm_medium`)."""
_SITES: Final = {
    Medium.SEARCH: "google bing duckduckgo yahoo baidu yandex ecosia qwant startpage kagi naver seznam sogou",
    Medium.SOCIAL: "facebook fb instagram threads twitter t x tiktok linkedin lnkd pinterest reddit youtube "
    "youtu snapchat whatsapp telegram discord tumblr vk weibo bsky mastodon",
    Medium.EMAIL: "gmail protonmail fastmail gmx",
    Medium.AD: "doubleclick googleadservices googlesyndication",
}
"""Names that hosts are registered under, whatever their country."""
_MAILBOXES: Final = frozenset({"mail", "webmail", "outlook", "gm"})
"""What a host's name begins with where a provider of something else keeps its mail."""
_SECOND_LEVEL: Final = frozenset({"co", "com", "net", "org", "ac", "gov", "edu"})
"""Labels under which countries register names, as in ``co.uk``."""
_MEDIUM_OF_WORD: Final = {word: medium for medium, words in _WORDS.items() for word in words.split()}
_MEDIUM_OF_SITE: Final = {site: medium for medium, sites in _SITES.items() for site in sites.split()}


def medium_of(referrer: str) -> Medium | None:
    """Tell the medium of an address, a host, a campaign's word, or a medium; empty is direct.

    None for what is none of these. A medium's medium is itself.

    >>> [medium_of(text) for text in ("https://www.google.co.uk/search?q=lamp", "Newsletter", "example.org")]
    [<Medium.SEARCH: 'search'>, <Medium.EMAIL: 'email'>, <Medium.REFERRAL: 'referral'>]
    """
    text = referrer.strip().lower()
    if not text:
        return Medium.DIRECT
    if text in _MEDIUM_OF_WORD:
        return _MEDIUM_OF_WORD[text]
    try:
        address = urlsplit(text if "//" in text else f"//{text}")
        labels = (address.hostname or "").split(".")
    except ValueError:
        return None
    if len(labels) < 2 or not all(labels):
        return None
    return _medium_of_host(labels[::-1] if address.scheme == "android-app" else labels)


def _medium_of_host(labels: list[str]) -> Medium:
    """`labels` of a host as in ``["www", "google", "com"]``; an app's package is one from right to left."""
    if labels[0] in _MAILBOXES:
        return Medium.EMAIL
    names = labels[:-1]
    if len(names) > 1 and names[-1] in _SECOND_LEVEL:
        names = names[:-1]
    return _MEDIUM_OF_SITE.get(names[-1], Medium.REFERRAL)
