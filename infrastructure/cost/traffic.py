"""How much comes in a month: users, what they do, and how it comes in time."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from infrastructure.cost.errors import NonsenseTrafficError

HOURS: Final = 730
"""Of a month, as AWS's own calculator counts."""
SECONDS: Final = HOURS * 3_600
NIGHTS: Final = HOURS / 24
MOST_USERS: Final = 8_000_000_000
MAX_POST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A month of a shop; the defaults are assumed: four visits of a user, each of 15 events and 5 lists.

    Attributes
    ----------
    monthly_users
        Who come in a month. Each night makes lists for those of the last 30 days, so for all of them.
    events_per_user, requests_per_user, sessions_per_user
        Of each, in a month; requests are for recommendations.
    events_per_post
        What a client sends at once, of one user; a session sends one post at least.
    deliberate_share
        Of events: clicks, purchases, ratings, all that rebuilds a list.
    active_share
        Users of a month, of all whose profile is kept (13 months).
    items, surfaces
        Of the catalogue, and where lists are shown. A night changes a tenth of the catalogue's items.
    peak_factor
        The busiest minutes' rate over the mean of the month.
    history_months
        What there is of the past, in the lake and as acts to train on.
    """

    monthly_users: int
    events_per_user: float = 60.0
    requests_per_user: float = 20.0
    sessions_per_user: float = 4.0
    events_per_post: float = 5.0
    deliberate_share: float = 0.2
    active_share: float = 0.4
    items: int = 50_000
    surfaces: int = 2
    peak_factor: float = 3.0
    history_months: float = 12.0

    def __post_init__(self) -> None:
        """Refuse what no shop can have.

        Raises
        ------
        NonsenseTrafficError
            A number is negative, no number, or out of its range; the message says which and what would do.
        """
        for name, low, high in (
            ("monthly_users", 0, MOST_USERS),
            ("events_per_user", 0, 1_000_000),
            ("requests_per_user", 0, 1_000_000),
            ("sessions_per_user", 0, 100_000),
            ("events_per_post", 1, MAX_POST),
            ("deliberate_share", 0, 1),
            ("active_share", 0.001, 1),
            ("items", 0, 1_000_000_000),
            ("surfaces", 1, 100),
            ("peak_factor", 1, 1_000),
            ("history_months", 1, 120),
        ):
            value = getattr(self, name)
            if not isfinite(value) or not low <= value <= high:
                option = "--" + name.replace("_", "-")
                raise NonsenseTrafficError(f"{option}: {value:,} is not between {low:,} and {high:,}")

    @property
    def events(self) -> float:
        """In a month."""
        return self.monthly_users * self.events_per_user

    @property
    def requests(self) -> float:
        """For recommendations, in a month."""
        return self.monthly_users * self.requests_per_user

    @property
    def posts(self) -> float:
        """Requests that bring events, in a month."""
        sessions = self.monthly_users * min(self.sessions_per_user, self.events_per_user)
        return max(self.events / self.events_per_post, sessions)

    @property
    def refreshes(self) -> float:
        """Rebuildings of a user's lists that acts queue in a month; acts of one post ask once.

        Acts are taken to fall on posts by chance, which gives more refreshes than if they cluster.
        """
        per_post = self.events / self.posts if self.posts else 0.0
        return self.posts * (1 - float((1 - self.deliberate_share) ** per_post))

    @property
    def profiles(self) -> float:
        """Profiles that are kept."""
        return self.monthly_users / self.active_share

    @property
    def acts(self) -> float:
        """Acts that training learns from: all of the history's."""
        return self.events * self.deliberate_share * self.history_months

    @property
    def lists(self) -> float:
        """Lists that each night makes, one a surface."""
        return float(self.monthly_users * self.surfaces)

    @property
    def changed_items(self) -> float:
        """Items of the catalogue that are written in a month."""
        return 0.1 * self.items * NIGHTS if self.monthly_users else 0.0

    def peak(self, monthly: float) -> float:
        """Return the rate a second at the daily peak of what comes so often in a month."""
        return self.mean(monthly) * self.peak_factor

    def mean(self, monthly: float) -> float:
        """Return the mean rate a second."""
        return monthly / SECONDS
